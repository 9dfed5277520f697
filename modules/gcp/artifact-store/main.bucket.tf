locals {
  create = !var.existing

  # One rule, with a twin in the manifest's code: what is generated never changes afterwards.
  generated = "${substr("${var.stack}-${replace(var.name, "_", "-")}", 0, 52)}-${substr(sha256("${var.project}/${var.stack}/${var.name}"), 0, 10)}"
  bucket    = var.bucket == null ? local.generated : var.bucket

  labels = merge(var.labels, {
    "provisioned-by" = "stack-provisioner"
    "stack"          = var.stack
    "artifact-store" = var.name
  })
}

resource "google_storage_bucket" "this" {
  count = local.create ? 1 : 0

  name                        = local.bucket
  project                     = var.project
  location                    = var.location
  storage_class               = var.storage_class
  force_destroy               = false
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = local.labels

  versioning {
    enabled = var.versioning
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  dynamic "encryption" {
    for_each = local.kms_key[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  dynamic "logging" {
    for_each = google_storage_bucket.logs

    content {
      log_bucket        = logging.value.name
      log_object_prefix = local.bucket
    }
  }

  # With versioning on, what is overwritten or deleted lives on as a noncurrent version until then.
  dynamic "lifecycle_rule" {
    for_each = var.noncurrent_days[*]

    content {
      action {
        type = "Delete"
      }

      condition {
        days_since_noncurrent_time = lifecycle_rule.value
        with_state                 = "ARCHIVED"
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.abort_multipart_days[*]

    content {
      action {
        type = "AbortIncompleteMultipartUpload"
      }

      condition {
        age        = lifecycle_rule.value
        with_state = "ANY"
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.archive_after_days[*]

    content {
      action {
        type          = "SetStorageClass"
        storage_class = "COLDLINE"
      }

      condition {
        age        = lifecycle_rule.value
        with_state = "LIVE"
      }
    }
  }

  # Cloud Storage refuses a bucket whose key it may not use, and loses log entries that it may not write.
  depends_on = [google_kms_crypto_key_iam_member.storage, google_storage_bucket_iam_member.logs]
}
