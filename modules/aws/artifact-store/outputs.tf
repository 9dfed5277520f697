output "bucket" {
  description = "Name of the bucket."
  value       = var.existing ? data.aws_s3_bucket.existing[0].bucket : aws_s3_bucket.this[0].bucket
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = local.bucket_arn

  # Who is granted something on the bucket waits for it: a name that turns out to be taken is never granted.
  depends_on = [aws_s3_bucket.this, data.aws_s3_bucket.existing]
}

output "path" {
  description = "Where the store keeps its objects: s3://BUCKET or s3://BUCKET/PREFIX."
  value       = var.prefix == "" ? "s3://${local.bucket}" : "s3://${local.bucket}/${var.prefix}"

  depends_on = [
    aws_s3_bucket.this,
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_logging.this,
    aws_s3_bucket_notification.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_replication_configuration.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
    data.aws_s3_bucket.existing,
  ]
}

output "prefix" {
  description = "Path inside the bucket; empty for the whole bucket."
  value       = var.prefix
}

output "kms_key_arn" {
  description = "ARN of the customer key; null without one."
  value       = local.kms_key_arn
}

output "logs_bucket" {
  description = "strict: name of the bucket with the logs of accesses; null without."
  value       = var.strict ? aws_s3_bucket.logs[0].bucket : null
}
