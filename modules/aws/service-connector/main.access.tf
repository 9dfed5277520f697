locals {
  write = var.access == "read-write"

  # What is granted, in one place; the README says it word for word and a test compares the two.
  actions = {
    list = ["s3:ListBucket", "s3:ListBucketVersions"]
    bucket = concat(
      ["s3:GetBucketLocation"],
      local.write ? ["s3:ListBucketMultipartUploads"] : [],
    )
    objects = concat(
      ["s3:GetObject", "s3:GetObjectVersion"],
      local.write ? ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"] : [],
    )
    key = concat(
      ["kms:Decrypt", "kms:DescribeKey"],
      local.write ? ["kms:GenerateDataKey"] : [],
    )
  }

  bucket_arns = distinct(var.grants[*].bucket_arn)
  object_arns = distinct([
    for grant in var.grants : grant.prefix == "" ? "${grant.bucket_arn}/*" : "${grant.bucket_arn}/${grant.prefix}/*"
  ])
  key_arns = distinct([for grant in var.grants : grant.kms_key_arn if grant.kms_key_arn != null])

  granted = sort(concat(
    local.actions.list,
    local.actions.bucket,
    local.actions.objects,
    length(local.key_arns) > 0 ? local.actions.key : [],
  ))
}

data "aws_iam_policy_document" "access" {
  # Per grant, for each has a prefix of its own.
  dynamic "statement" {
    for_each = var.grants

    content {
      sid       = "List${statement.key}"
      effect    = "Allow"
      actions   = local.actions.list
      resources = [statement.value.bucket_arn]

      dynamic "condition" {
        for_each = statement.value.prefix == "" ? [] : [statement.value.prefix]

        content {
          test     = "StringLike"
          variable = "s3:prefix"
          values   = ["${condition.value}/*"]
        }
      }
    }
  }

  # Requests for these carry no prefix: under a condition on it they would always be refused.
  statement {
    sid       = "Bucket"
    effect    = "Allow"
    actions   = local.actions.bucket
    resources = local.bucket_arns
  }

  statement {
    sid       = "Objects"
    effect    = "Allow"
    actions   = local.actions.objects
    resources = local.object_arns
  }

  dynamic "statement" {
    for_each = length(local.key_arns) > 0 ? [local.key_arns] : []

    content {
      sid       = "Key"
      effect    = "Allow"
      actions   = local.actions.key
      resources = statement.value
    }
  }
}

resource "aws_iam_role_policy" "access" {
  name   = "artifact-stores"
  role   = aws_iam_role.this.name
  policy = data.aws_iam_policy_document.access.json
}
