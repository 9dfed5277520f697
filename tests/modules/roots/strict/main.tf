# A store with the profile strict, and its copy in a second region.

terraform {
  required_version = ">= 1.6.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60.0, < 7.0.0"
    }
  }
}

variable "endpoint" {
  type = string
}

variable "lifecycle_days" {
  type = number
}

variable "tls_only" {
  type = bool
}

variable "kms_key" {
  type    = string
  default = null
}

provider "aws" {
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true

  endpoints {
    iam = var.endpoint
    kms = var.endpoint
    s3  = var.endpoint
    sts = var.endpoint
  }
}

provider "aws" {
  alias                       = "replica"
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true

  endpoints {
    iam = var.endpoint
    kms = var.endpoint
    s3  = var.endpoint
    sts = var.endpoint
  }
}

module "store_strict" {
  source = "../modules/aws/artifact-store"

  stack                = "ml-prod"
  name                 = "strict_store"
  account_id           = "123456789012"
  kms_key              = var.kms_key
  noncurrent_days      = var.lifecycle_days
  abort_multipart_days = var.lifecycle_days
  log_days             = var.lifecycle_days
  tls_only             = var.tls_only
  strict               = true
  replica_bucket_arn   = module.replica_strict.bucket_arn
  replica_kms_key_arn  = module.replica_strict.kms_key_arn
}

module "replica_strict" {
  source    = "../modules/aws/artifact-replica"
  providers = { aws = aws.replica }

  stack                = "ml-prod"
  name                 = "strict_store"
  account_id           = "123456789012"
  source_bucket        = module.store_strict.bucket
  noncurrent_days      = var.lifecycle_days
  abort_multipart_days = var.lifecycle_days
  tls_only             = var.tls_only
}

module "connector_strict" {
  source = "../modules/aws/service-connector"

  stack              = "ml-prod"
  name               = "strict_connector"
  trusted_principals = ["arn:aws:iam::123456789012:role/ci"]

  grants = [{
    bucket_arn  = module.store_strict.bucket_arn
    kms_key_arn = module.store_strict.kms_key_arn
  }]
}

output "store" {
  value = module.store_strict
}

output "replica" {
  value = module.replica_strict
}
