mock_provider "google" {}

variables {
  stack    = "ml-prod"
  name     = "prod_store"
  project  = "acme-ml-prod"
  location = "europe-west1"
}

run "closed_versioned_and_labelled_by_default" {
  command = plan

  assert {
    condition     = output.bucket == "ml-prod-prod-store-${substr(sha256("acme-ml-prod/ml-prod/prod_store"), 0, 10)}"
    error_message = "The generated name is a function of stack, store and project."
  }

  assert {
    condition     = output.path == "gs://${output.bucket}" && output.prefix == ""
    error_message = "The path follows from the name, and stands in the plan."
  }

  assert {
    condition     = google_storage_bucket.this[0].force_destroy == false
    error_message = "A bucket with objects in it is never destroyed by Terraform."
  }

  assert {
    condition     = google_storage_bucket.this[0].uniform_bucket_level_access && google_storage_bucket.this[0].public_access_prevention == "enforced"
    error_message = "No access control lists, and nothing public."
  }

  assert {
    condition     = one(google_storage_bucket.this[0].versioning).enabled && one(google_storage_bucket.this[0].soft_delete_policy).retention_duration_seconds == 604800
    error_message = "Old versions are kept, and what is deleted can be restored for a week."
  }

  assert {
    condition     = length(google_storage_bucket.this[0].encryption) == 0 && length(google_storage_bucket.this[0].logging) == 0
    error_message = "Google's own keys, and no access logs."
  }

  assert {
    condition     = join(",", [for rule in google_storage_bucket.this[0].lifecycle_rule : one(rule.action).type]) == "Delete,AbortIncompleteMultipartUpload"
    error_message = "Old versions and unfinished uploads are removed, nothing is archived."
  }

  assert {
    condition = (
      one(google_storage_bucket.this[0].lifecycle_rule[0].condition).days_since_noncurrent_time == 90 &&
      one(google_storage_bucket.this[0].lifecycle_rule[0].condition).with_state == "ARCHIVED" &&
      one(google_storage_bucket.this[0].lifecycle_rule[1].condition).age == 7
    )
    error_message = "Old versions go after 90 days, unfinished uploads after 7; a live object is never deleted."
  }

  assert {
    condition = google_storage_bucket.this[0].labels == tomap({
      "provisioned-by" = "stack-provisioner"
      "stack"          = "ml-prod"
      "artifact-store" = "prod_store"
    })
    error_message = "Who made it stands on it."
  }
}

run "everything_asked_for" {
  command = plan

  variables {
    bucket             = "acme-ml-prod"
    prefix             = "team/artifacts"
    versioning         = false
    storage_class      = "NEARLINE"
    soft_delete_days   = 0
    kms_key            = "projects/keys/locations/europe-west1/keyRings/ml/cryptoKeys/artifacts"
    noncurrent_days    = null
    archive_after_days = 365
    labels             = { team = "ml", stack = "another" }
  }

  assert {
    condition     = output.path == "gs://acme-ml-prod/team/artifacts"
    error_message = "The prefix is part of the path."
  }

  assert {
    condition     = one(google_storage_bucket.this[0].encryption).default_kms_key_name == var.kms_key && output.kms_key == var.kms_key
    error_message = "The key that was named encrypts new objects."
  }

  assert {
    condition     = length(google_kms_crypto_key.this) == 0 && length(google_kms_crypto_key_iam_member.storage) == 0
    error_message = "A key that was named is used as it is."
  }

  assert {
    condition = (
      one(google_storage_bucket.this[0].lifecycle_rule[1].action).storage_class == "COLDLINE" &&
      one(google_storage_bucket.this[0].lifecycle_rule[1].condition).age == 365
    )
    error_message = "Objects move to cheaper storage."
  }

  assert {
    condition     = google_storage_bucket.this[0].labels["team"] == "ml" && google_storage_bucket.this[0].labels["stack"] == "ml-prod"
    error_message = "Own labels are added; ours win."
  }

  assert {
    condition     = google_storage_bucket.this[0].storage_class == "NEARLINE" && one(google_storage_bucket.this[0].soft_delete_policy).retention_duration_seconds == 0
    error_message = "Storage class and soft delete are as asked."
  }
}

run "adopted_is_left_alone" {
  command = plan

  variables {
    bucket   = "theirs"
    existing = true
  }

  assert {
    condition     = length(google_storage_bucket.this) == 0 && output.bucket == "theirs" && output.path == "gs://theirs"
    error_message = "No resource: a bucket that was there before is neither changed nor destroyed."
  }
}

run "strict_logs_and_encrypts_with_a_key_of_its_own" {
  command = plan

  variables {
    strict        = true
    location      = "EU"
    storage_agent = "service-1@gs-project-accounts.iam.gserviceaccount.com"
  }

  assert {
    condition     = one(google_storage_bucket.this[0].logging).log_bucket == "${output.bucket}-logs" && output.log_bucket == "${output.bucket}-logs"
    error_message = "Access logs go to a bucket of their own."
  }

  assert {
    condition     = google_storage_bucket.logs[0].public_access_prevention == "enforced" && google_storage_bucket.logs[0].force_destroy == false
    error_message = "The logs are as closed as what they are about."
  }

  assert {
    condition     = google_storage_bucket_iam_member.logs[0].role == "roles/storage.objectCreator" && google_storage_bucket_iam_member.logs[0].member == "group:cloud-storage-analytics@google.com"
    error_message = "Google writes the logs, and may do no more."
  }

  assert {
    condition     = google_kms_crypto_key.this[0].rotation_period == "7776000s" && google_kms_key_ring.this[0].location == "europe"
    error_message = "The key is rotated every 90 days, and lies where its bucket does."
  }

  assert {
    condition     = google_kms_crypto_key_iam_member.storage[0].member == "serviceAccount:${var.storage_agent}" && google_kms_crypto_key_iam_member.storage[0].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    error_message = "Cloud Storage, and nobody else, is let use the key."
  }
}

run "strict_with_a_key_makes_none" {
  command = plan

  variables {
    strict  = true
    kms_key = "projects/keys/locations/europe-west1/keyRings/ml/cryptoKeys/artifacts"
  }

  assert {
    condition     = length(google_kms_crypto_key.this) == 0 && length(google_storage_bucket.logs) == 1
    error_message = "The key that was named is used; logs are kept all the same."
  }
}

run "a_key_that_nobody_may_use_is_refused" {
  command = plan

  variables {
    strict = true
  }

  expect_failures = [terraform_data.key]
}

run "adopting_needs_a_name" {
  command = plan

  variables {
    existing = true
  }

  expect_failures = [output.bucket]
}

run "what_is_not_allowed_is_refused" {
  command = plan

  variables {
    stack            = "X"
    name             = "Bad"
    project          = "123456"
    location         = "somewhere over the rainbow"
    bucket           = "No_Capitals"
    prefix           = "quote'd"
    storage_class    = "HOT"
    soft_delete_days = 3
    kms_key          = "alias/ml"
    noncurrent_days  = 0
    labels           = { Team = "ML" }
  }

  expect_failures = [
    var.stack,
    var.name,
    var.project,
    var.location,
    var.bucket,
    var.prefix,
    var.storage_class,
    var.soft_delete_days,
    var.kms_key,
    var.noncurrent_days,
    var.labels,
  ]
}
