# Every shape that the AWS modules take, in one root: one plan serves all the tests that read plans.

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
  type = string
}

variable "trusted_principal" {
  type = string
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

module "store_plain" {
  source = "../modules/aws/artifact-store"

  stack                = "ml-prod"
  name                 = "plain_store"
  account_id           = "123456789012"
  noncurrent_days      = var.lifecycle_days
  abort_multipart_days = var.lifecycle_days
  archive_after_days   = var.lifecycle_days
  tls_only             = var.tls_only
  tags                 = { team = "ml" }
}

module "store_keyed" {
  source = "../modules/aws/artifact-store"

  stack                = "ml-prod"
  name                 = "keyed_store"
  bucket               = "acme-ml-prod"
  prefix               = "team/artifacts"
  kms_key              = var.kms_key
  noncurrent_days      = var.lifecycle_days
  abort_multipart_days = var.lifecycle_days
}

module "connector_plain" {
  source = "../modules/aws/service-connector"

  stack              = "ml-prod"
  name               = "plain_connector"
  trusted_principals = [var.trusted_principal]

  grants = [{
    bucket_arn  = module.store_plain.bucket_arn
    prefix      = module.store_plain.prefix
    kms_key_arn = module.store_plain.kms_key_arn
  }]
}

module "connector_writer" {
  source = "../modules/aws/service-connector"

  stack              = "ml-prod"
  name               = "writer"
  access             = "read-write"
  trusted_principals = [var.trusted_principal]
  external_id        = "acme-ml"
  session_seconds    = 7200
  tags               = { team = "ml" }

  grants = [{
    bucket_arn  = module.store_keyed.bucket_arn
    prefix      = module.store_keyed.prefix
    kms_key_arn = module.store_keyed.kms_key_arn
  }]
}

module "connector_reader" {
  source = "../modules/aws/service-connector"

  stack              = "ml-prod"
  name               = "reader"
  access             = "read-only"
  trusted_principals = [var.trusted_principal]

  grants = [{
    bucket_arn  = module.store_keyed.bucket_arn
    prefix      = module.store_keyed.prefix
    kms_key_arn = module.store_keyed.kms_key_arn
  }]
}

output "plain" {
  value = module.store_plain
}

output "keyed" {
  value = module.store_keyed
}

output "connectors" {
  value = {
    plain  = module.connector_plain
    writer = module.connector_writer
    reader = module.connector_reader
  }
}
