locals {
  lifecycle = local.create && !(var.noncurrent_days == null && var.abort_multipart_days == null && var.archive_after_days == null)
}

resource "aws_s3_bucket_versioning" "this" {
  count = local.create && var.versioning ? 1 : 0

  bucket = aws_s3_bucket.this[0].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = local.lifecycle ? 1 : 0

  bucket = aws_s3_bucket.this[0].bucket

  rule {
    id     = "history"
    status = "Enabled"

    filter {}

    dynamic "abort_incomplete_multipart_upload" {
      for_each = var.abort_multipart_days[*]

      content {
        days_after_initiation = abort_incomplete_multipart_upload.value
      }
    }

    dynamic "noncurrent_version_expiration" {
      for_each = var.noncurrent_days[*]

      content {
        noncurrent_days = noncurrent_version_expiration.value
      }
    }

    # A delete marker whose versions are all gone would be listed for ever.
    dynamic "expiration" {
      for_each = var.noncurrent_days[*]

      content {
        expired_object_delete_marker = true
      }
    }

    dynamic "transition" {
      for_each = var.archive_after_days[*]

      content {
        days          = transition.value
        storage_class = "GLACIER_IR"
      }
    }
  }

  # Rules about old versions are refused by some services until versioning is on.
  depends_on = [aws_s3_bucket_versioning.this]
}
