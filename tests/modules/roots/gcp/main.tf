# Every shape that the Google modules take, in one root: one plan serves all the tests that read plans.

terraform {
  required_version = ">= 1.6.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0.0, < 9.0.0"
    }
  }
}

provider "google" {
  project = "acme-ml-prod"
}

module "store_plain" {
  source = "../modules/gcp/artifact-store"

  stack              = "ml-prod"
  name               = "plain_store"
  project            = "acme-ml-prod"
  location           = "europe-west1"
  archive_after_days = 365
  labels             = { team = "ml" }
}

module "store_strict" {
  source = "../modules/gcp/artifact-store"

  stack         = "ml-prod"
  name          = "strict_store"
  project       = "acme-ml-prod"
  location      = "EU"
  bucket        = "acme-ml-strict"
  prefix        = "team/artifacts"
  strict        = true
  storage_agent = "service-100200300@gs-project-accounts.iam.gserviceaccount.com"
}

module "connector_plain" {
  source = "../modules/gcp/service-connector"

  stack              = "ml-prod"
  name               = "plain_connector"
  project            = "acme-ml-prod"
  trusted_principals = ["user:engineer@example.com"]
  grants             = [{ bucket = module.store_plain.bucket, prefix = module.store_plain.prefix }]
}

module "connector_writer" {
  source = "../modules/gcp/service-connector"

  stack              = "ml-prod"
  name               = "writer"
  project            = "acme-ml-prod"
  trusted_principals = ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/attribute.repository/acme/ml"]
  grants             = [{ bucket = module.store_strict.bucket, prefix = module.store_strict.prefix }]
}

module "connector_reader" {
  source = "../modules/gcp/service-connector"

  stack              = "ml-prod"
  name               = "reader"
  project            = "acme-ml-prod"
  access             = "read-only"
  trusted_principals = ["group:ml@example.com", "serviceAccount:ci@acme-ml-prod.iam.gserviceaccount.com"]
  grants = [
    { bucket = module.store_plain.bucket, prefix = module.store_plain.prefix },
    { bucket = module.store_strict.bucket, prefix = module.store_strict.prefix },
  ]
}

output "stores" {
  value = {
    plain  = module.store_plain
    strict = module.store_strict
  }
}
