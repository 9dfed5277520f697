output "email" {
  description = "E-mail of the service account to impersonate."
  value       = google_service_account.this.email

  depends_on = [
    google_service_account_iam_member.trust,
    google_storage_bucket_iam_member.bucket,
    google_storage_bucket_iam_member.objects,
  ]
}

output "roles" {
  description = "Every role the service account is granted on a bucket, sorted."
  value       = sort(distinct(concat([local.object_role], length(local.whole_buckets) > 0 ? [local.bucket_role] : [])))
}
