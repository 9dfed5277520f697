mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/acme-ml-prod/serviceAccounts/mocked@acme-ml-prod.iam.gserviceaccount.com"
      email  = "mocked@acme-ml-prod.iam.gserviceaccount.com"
      member = "serviceAccount:mocked@acme-ml-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  stack              = "ml-prod"
  name               = "prod_connector"
  project            = "acme-ml-prod"
  trusted_principals = ["user:engineer@example.com"]
  grants             = [{ bucket = "acme-ml-prod" }]
}

run "a_whole_bucket_to_write" {
  assert {
    condition     = google_service_account.this.account_id == "ml-prod-prod-connec-${substr(sha256("ml-prod/prod_connector"), 0, 10)}"
    error_message = "The service account's name is a function of stack and connector."
  }

  assert {
    condition     = google_service_account.this.display_name == "stack-provisioner: ml-prod/prod_connector"
    error_message = "Whose it is stands on it."
  }

  assert {
    condition = (
      google_storage_bucket_iam_member.objects["acme-ml-prod"].role == "roles/storage.objectUser" &&
      google_storage_bucket_iam_member.bucket["acme-ml-prod"].role == "roles/storage.legacyBucketReader" &&
      output.roles == tolist(["roles/storage.legacyBucketReader", "roles/storage.objectUser"])
    )
    error_message = "Objects to read and write, the bucket's settings to read."
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.objects["acme-ml-prod"].condition) == 0
    error_message = "A whole bucket needs no condition."
  }

  assert {
    condition     = google_service_account_iam_member.trust["user:engineer@example.com"].role == "roles/iam.serviceAccountTokenCreator"
    error_message = "A person impersonates by creating tokens."
  }
}

run "one_prefix_to_read" {
  variables {
    access             = "read-only"
    trusted_principals = ["serviceAccount:ci@acme.iam.gserviceaccount.com", "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/attribute.repository/acme/ml"]
    grants = [
      { bucket = "acme-ml-prod", prefix = "team/a" },
      { bucket = "acme-ml-prod", prefix = "team/b" },
      { bucket = "acme-models" },
    ]
  }

  assert {
    condition     = alltrue([for member in google_storage_bucket_iam_member.objects : member.role == "roles/storage.objectViewer"])
    error_message = "Read-only is objectViewer everywhere."
  }

  assert {
    condition = one(google_storage_bucket_iam_member.objects["acme-ml-prod/team/a"].condition).expression == join(" || ", [
      "resource.name.startsWith('projects/_/buckets/acme-ml-prod/objects/team/a/')",
      "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('team/a/')",
    ])
    error_message = "Objects below the prefix, and listings of it."
  }

  assert {
    condition     = join(",", keys(google_storage_bucket_iam_member.bucket)) == "acme-models"
    error_message = "What lists a whole bucket is not granted for a prefix."
  }

  assert {
    condition     = google_service_account_iam_member.trust[var.trusted_principals[1]].role == "roles/iam.workloadIdentityUser"
    error_message = "A workload of another provider uses workload identity federation."
  }
}

run "nobody_is_trusted_with_one_that_has_a_key" {
  variables {
    trusted_principals = []
  }

  assert {
    condition     = length(google_service_account_iam_member.trust) == 0
    error_message = "Nobody impersonates it."
  }
}

run "what_is_not_allowed_is_refused" {
  command = plan

  variables {
    stack              = "X"
    name               = "Bad"
    project            = "123456"
    access             = "admin"
    trusted_principals = ["allUsers"]
    grants             = [{ bucket = "*" }]
  }

  expect_failures = [var.stack, var.name, var.project, var.access, var.trusted_principals, var.grants]
}

run "a_wildcard_is_refused" {
  command = plan

  variables {
    trusted_principals = ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/*"]
  }

  expect_failures = [var.trusted_principals]
}

run "a_quote_in_a_prefix_is_refused" {
  command = plan

  variables {
    grants = [{ bucket = "acme-ml-prod", prefix = "a') || true || ('" }]
  }

  expect_failures = [var.grants]
}
