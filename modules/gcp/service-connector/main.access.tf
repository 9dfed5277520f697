locals {
  # What is granted, in one place; the README says it word for word and a test compares the two.
  object_role = { "read-write" = "roles/storage.objectUser", "read-only" = "roles/storage.objectViewer" }[var.access]
  bucket_role = "roles/storage.legacyBucketReader"

  grants = { for grant in var.grants : grant.prefix == "" ? grant.bucket : "${grant.bucket}/${grant.prefix}" => grant }

  # It reads the bucket's settings, and lists all of the bucket: so never for a store that keeps to a prefix.
  whole_buckets = toset([for grant in var.grants : grant.bucket if grant.prefix == ""])
}

resource "google_storage_bucket_iam_member" "objects" {
  for_each = local.grants

  bucket = each.value.bucket
  role   = local.object_role
  member = google_service_account.this.member

  dynamic "condition" {
    for_each = each.value.prefix == "" ? [] : [each.value.prefix]

    content {
      title = "one prefix"
      # A listing has no object in its name: there the prefix that is asked for counts.
      expression = join(" || ", [
        "resource.name.startsWith('projects/_/buckets/${each.value.bucket}/objects/${condition.value}/')",
        "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('${condition.value}/')",
      ])
    }
  }
}

resource "google_storage_bucket_iam_member" "bucket" {
  for_each = local.whole_buckets

  bucket = each.value
  role   = local.bucket_role
  member = google_service_account.this.member
}
