locals {
  # The hash keeps two connectors apart whose joined names read the same; 64 characters is IAM's limit.
  role_name = "${substr("${var.stack}-${var.name}", 0, 53)}-${substr(sha256("${var.stack}/${var.name}"), 0, 10)}"

  tags = merge(var.tags, {
    "provisioned-by" = "stack-provisioner"
    "stack"          = var.stack
    "connector"      = var.name
  })
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "NamedPrincipals"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.trusted_principals
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

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = "Access of the connector ${var.name} of the stack ${var.stack} to its artifact stores"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = max(3600, var.session_seconds)
  tags                 = var.iam_tags ? local.tags : null
}
