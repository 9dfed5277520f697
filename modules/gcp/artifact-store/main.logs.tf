locals {
  # Beside the bucket, and told from every generated name by its end.
  log_bucket = "${substr(local.bucket, 0, 58)}-logs"
}

resource "google_storage_bucket" "logs" {
  count = local.create && var.strict ? 1 : 0

  name                        = local.log_bucket
  project                     = var.project
  location                    = var.location
  storage_class               = "STANDARD"
  force_destroy               = false
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = local.labels

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # A log entry is never changed: one that is deleted was deleted by this rule.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age        = var.log_days
      with_state = "ANY"
    }
  }
}

# https://cloud.google.com/storage/docs/access-logs: a group of Google's own writes the logs.
resource "google_storage_bucket_iam_member" "logs" {
  count = local.create && var.strict ? 1 : 0

  bucket = google_storage_bucket.logs[0].name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}
