data "aws_partition" "current" {}

locals {
  create = !var.existing

  # One rule, with a twin in the manifest's code: what is generated never changes afterwards.
  generated = "${substr("${var.stack}-${replace(var.name, "_", "-")}", 0, 52)}-${substr(sha256("${var.account_id}/${var.stack}/${var.name}"), 0, 10)}"
  bucket    = var.bucket == null ? local.generated : var.bucket

  # Composed and not read back: so every policy stands in the plan word for word, before the bucket exists.
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}"

  tags = merge(var.tags, {
    "provisioned-by" = "stack-provisioner"
    "stack"          = var.stack
    "artifact-store" = var.name
  })
}

resource "aws_s3_bucket" "this" {
  count = local.create ? 1 : 0

  bucket        = local.bucket
  force_destroy = false
  tags          = local.tags

  lifecycle {
    precondition {
      condition     = var.encryption || var.kms_key == null
      error_message = "kms_key needs encryption = true: a bucket without managed encryption cannot use a key."
    }
  }
}

data "aws_s3_bucket" "existing" {
  count = var.existing ? 1 : 0

  bucket = local.bucket

  lifecycle {
    precondition {
      condition     = var.bucket != null
      error_message = "existing = true needs the name of the bucket to adopt in bucket."
    }
  }
}
