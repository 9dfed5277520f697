output "bucket" {
  description = "Name of the bucket."
  value       = local.bucket

  # Who is granted something on the bucket waits for it: a name that turns out to be taken is never granted.
  depends_on = [google_storage_bucket.this]

  precondition {
    condition     = !var.existing || var.bucket != null
    error_message = "existing = true needs the name of the bucket to adopt in bucket."
  }
}

output "path" {
  description = "Where the store keeps its objects: gs://BUCKET or gs://BUCKET/PREFIX."
  value       = var.prefix == "" ? "gs://${local.bucket}" : "gs://${local.bucket}/${var.prefix}"

  depends_on = [google_storage_bucket.this]
}

output "prefix" {
  description = "Path inside the bucket; empty for the whole bucket."
  value       = var.prefix
}

output "kms_key" {
  description = "Resource name of the customer key that new objects are encrypted with; null without one."
  value       = local.kms_key
}

output "log_bucket" {
  description = "Name of the bucket with the access logs; null without one."
  value       = one(google_storage_bucket.logs[*].name)
}
