locals {
  # A name that S3 takes whatever the bucket is called: at most 63 characters, no '.' beside a '-'.
  logs_bucket     = "${replace(substr(local.bucket, 0, 46), ".", "-")}-logs-${substr(sha256(local.bucket), 0, 10)}"
  logs_bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.logs_bucket}"
}

resource "aws_s3_bucket" "logs" {
  count = var.strict ? 1 : 0

  bucket        = local.logs_bucket
  force_destroy = false
  tags          = local.tags

  lifecycle {
    precondition {
      condition     = var.versioning && var.encryption && !var.existing
      error_message = "strict = true needs a bucket of its own with versioning and encryption."
    }

    precondition {
      condition     = can(regex("^[0-9]{12}$", var.account_id))
      error_message = "strict = true needs account_id, the 12 digits of the AWS account: its policies name it."
    }

    precondition {
      condition     = var.replica_bucket_arn != null && var.replica_kms_key_arn != null
      error_message = "strict = true needs replica_bucket_arn and replica_kms_key_arn, where every object is copied to."
    }
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  count = var.strict ? 1 : 0

  bucket                  = aws_s3_bucket.logs[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  count = var.strict ? 1 : 0

  bucket = aws_s3_bucket.logs[0].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  count = var.strict ? 1 : 0

  bucket = aws_s3_bucket.logs[0].bucket

  rule {
    # S3 delivers no logs into a bucket that is encrypted with a customer key.
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "logs" {
  count = var.strict ? 1 : 0

  bucket = aws_s3_bucket.logs[0].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  count = var.strict && var.log_days != null ? 1 : 0

  bucket = aws_s3_bucket.logs[0].bucket

  rule {
    id     = "logs"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.logs]
}

data "aws_iam_policy_document" "logs" {
  count = var.strict ? 1 : 0

  statement {
    sid       = "LogsOfTheStore"
    effect    = "Allow"
    actions   = ["s3:PutObject"]
    resources = ["${local.logs_bucket_arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.bucket_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }

  dynamic "statement" {
    for_each = var.tls_only ? [1] : []

    content {
      sid       = "DenyPlainHttp"
      effect    = "Deny"
      actions   = ["s3:*"]
      resources = [local.logs_bucket_arn, "${local.logs_bucket_arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["false"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  count = var.strict ? 1 : 0

  bucket = aws_s3_bucket.logs[0].bucket
  policy = data.aws_iam_policy_document.logs[0].json

  depends_on = [aws_s3_bucket_public_access_block.logs]
}

resource "aws_s3_bucket_logging" "this" {
  count = var.strict ? 1 : 0

  bucket        = aws_s3_bucket.this[0].bucket
  target_bucket = aws_s3_bucket.logs[0].bucket
  target_prefix = "access/"

  # Without the policy the first deliveries would be lost.
  depends_on = [aws_s3_bucket_policy.logs]
}
