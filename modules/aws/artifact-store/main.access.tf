resource "aws_s3_bucket_public_access_block" "this" {
  count = local.create && var.public_access_block ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = local.create && var.ownership_controls ? 1 : 0

  bucket = aws_s3_bucket.this[0].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "bucket" {
  count = local.create && var.tls_only ? 1 : 0

  statement {
    sid       = "DenyPlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket_arn, "${local.bucket_arn}/*"]

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

resource "aws_s3_bucket_policy" "this" {
  count = local.create && var.tls_only ? 1 : 0

  bucket = aws_s3_bucket.this[0].bucket
  policy = data.aws_iam_policy_document.bucket[0].json

  # S3 answers 409 when both are changed at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
