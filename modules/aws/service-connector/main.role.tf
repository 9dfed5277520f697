locals {
  # The hash keeps two connectors apart whose joined names read the same; 64 characters is IAM's limit.
  role_name = "${substr("${var.stack}-${var.name}", 0, 53)}-${substr(sha256("${var.stack}/${var.name}"), 0, 10)}"

  tags = merge(var.tags, {
    "provisioned-by" = "stack-provisioner"
    "stack"          = var.stack
    "connector"      = var.name
  })
}

locals {
  named = [for principal in var.trusted_principals : principal if !strcontains(principal, "#")]

  # By the provider that vouches for them: the subjects of their tokens.
  workloads = {
    for principal in var.trusted_principals : split("#", principal)[0] => split("#", principal)[1]...
    if strcontains(principal, "#")
  }
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = length(local.named) > 0 ? [local.named] : []

    content {
      sid     = "NamedPrincipals"
      effect  = "Allow"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }

      dynamic "condition" {
        for_each = var.external_id[*]

        content {
          test     = "StringEquals"
          variable = "sts:ExternalId"
          values   = [condition.value]
        }
      }
    }
  }

  # Workloads show a token of their issuer's instead of credentials of AWS.
  dynamic "statement" {
    for_each = local.workloads

    content {
      sid     = "Workloads${index(keys(local.workloads), statement.key)}"
      effect  = "Allow"
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.key]
      }

      condition {
        test     = "StringEquals"
        variable = "${split(":oidc-provider/", statement.key)[1]}:sub"
        values   = statement.value
      }

      condition {
        test     = "StringEquals"
        variable = "${split(":oidc-provider/", statement.key)[1]}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = "Access of the connector ${var.name} of the stack ${var.stack} to its artifact stores"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = max(3600, var.session_seconds)
  tags                 = var.iam_tags ? local.tags : null
}
