# Every shape that the Azure modules take, beside a copy of the modules.

terraform {
  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
    }
    azuread = {
      source = "hashicorp/azuread"
    }
  }
}

variable "subscription_id" {
  type = string
}

variable "principal" {
  type = string
}

provider "azurerm" {
  subscription_id = var.subscription_id
  features {}
}

provider "azuread" {}

locals {
  network = "/subscriptions/${var.subscription_id}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/ml"
}

module "store_plain" {
  source = "../modules/azure/artifact-store"

  stack              = "ml-prod"
  name               = "plain_store"
  subscription_id    = var.subscription_id
  location           = "westeurope"
  archive_after_days = 365
  tags               = { team = "ml" }
}

module "store_strict" {
  source = "../modules/azure/artifact-store"

  stack                     = "ml-prod"
  name                      = "strict_store"
  subscription_id           = var.subscription_id
  location                  = "westeurope"
  storage_account           = "acmemlstrict"
  container                 = "artifacts"
  prefix                    = "team/artifacts"
  kms_key                   = "https://acme-keys.vault.azure.net/keys/ml"
  infrastructure_encryption = true
  replication               = "GRS"
  network_default_deny      = true
  private_endpoint_subnet   = "${local.network}/subnets/endpoints"
  logging                   = true
}

module "application_writer" {
  source = "../modules/azure/application"

  stack            = "ml-prod"
  name             = "writer"
  subscription_id  = var.subscription_id
  trusted_subjects = ["https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main"]
}

module "connector_named" {
  source = "../modules/azure/service-connector"

  stack      = "ml-prod"
  name       = "named"
  principals = { ci = var.principal }
  grants     = [{ container_id = module.store_plain.container_id }]
}

module "connector_reader" {
  source = "../modules/azure/service-connector"

  stack            = "ml-prod"
  name             = "reader"
  access           = "read-only"
  managed_identity = true
  resource_group   = module.store_strict.resource_group
  location         = "westeurope"
  grants           = [{ container_id = module.store_strict.container_id }]
}

module "connector_writer" {
  source = "../modules/azure/service-connector"

  stack          = "ml-prod"
  name           = "writer"
  principals     = { application = module.application_writer.principal_id }
  principal_type = "ServicePrincipal"
  grants         = [{ container_id = module.store_strict.container_id }]
}

output "stores" {
  value = {
    plain  = { bucket = module.store_plain.bucket, container_id = module.store_plain.container_id, path = module.store_plain.path }
    strict = { bucket = module.store_strict.bucket, container_id = module.store_strict.container_id, path = module.store_strict.path }
  }
}
