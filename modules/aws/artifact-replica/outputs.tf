output "bucket" {
  description = "Name of the bucket with the copies."
  value       = aws_s3_bucket.this.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket with the copies, once it keeps versions."
  value       = local.bucket_arn

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

output "kms_key_arn" {
  description = "ARN of the key that the copies are encrypted with."
  value       = aws_kms_key.this.arn
}
