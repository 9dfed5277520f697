# One store with every rule of its lifecycle: the provider waits about a minute on each change of them.

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

variable "noncurrent_days" {
  type = number
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

module "store" {
  source = "../modules/aws/artifact-store"

  stack              = "ml-prod"
  name               = "store"
  bucket             = "acme-lifecycle"
  noncurrent_days    = var.noncurrent_days
  archive_after_days = 365
}
