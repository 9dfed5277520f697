locals {
  create = !var.existing

  # One rule, with a twin in the code that checks on it: what is generated never changes afterwards. A
  # container's name has no two dashes in a row, an account's has none at all.
  digest    = substr(sha256("${var.subscription_id}/${var.stack}/${var.name}"), 0, 10)
  generated = replace("${substr("${var.stack}-${replace(var.name, "_", "-")}", 0, 52)}-${local.digest}", "/-+/", "-")
  container = var.container == null ? local.generated : var.container
  account = (
    var.storage_account == null ?
    "${substr(replace("${var.stack}${var.name}", "/[^a-z0-9]/", ""), 0, 14)}${local.digest}" :
    var.storage_account
  )

  tags = merge(var.tags, {
    "provisioned-by" = "stack-provisioner"
    "stack"          = var.stack
    "artifact-store" = var.name
  })

  # Composed and not read back: so every scope stands in the plan word for word, before anything exists.
  resource_group = (
    var.existing ? one(data.azurerm_resources.account[0].resources[*].resource_group_name) :
    var.resource_group == null ? local.generated : var.resource_group
  )
  account_id = (
    var.existing ? one(data.azurerm_resources.account[0].resources[*].id) :
    "/subscriptions/${var.subscription_id}/resourceGroups/${local.resource_group}/providers/Microsoft.Storage/storageAccounts/${local.account}"
  )
  container_id = "${local.account_id}/blobServices/default/containers/${local.container}"
}

resource "azurerm_resource_group" "this" {
  count = local.create && var.resource_group == null ? 1 : 0

  name     = local.generated
  location = var.location
  tags     = local.tags
}

data "azurerm_resource_group" "given" {
  count = local.create && var.resource_group != null ? 1 : 0

  name = var.resource_group
}

resource "azurerm_storage_account" "this" {
  count = local.create ? 1 : 0

  name                = local.account
  resource_group_name = var.resource_group == null ? azurerm_resource_group.this[0].name : data.azurerm_resource_group.given[0].name
  location            = var.location
  tags                = local.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication
  access_tier              = var.access_tier

  https_traffic_only_enabled       = true
  min_tls_version                  = "TLS1_2"
  allow_nested_items_to_be_public  = false
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  cross_tenant_replication_enabled = false

  public_network_access_enabled     = !local.private
  infrastructure_encryption_enabled = var.infrastructure_encryption

  blob_properties {
    versioning_enabled = var.versioning

    delete_retention_policy {
      days = var.soft_delete_days
    }

    container_delete_retention_policy {
      days = var.soft_delete_days
    }
  }

  # Said when the account is open, too: the provider leaves rules that are not said as they are.
  network_rules {
    default_action             = local.closed ? "Deny" : "Allow"
    bypass                     = local.closed ? ["AzureServices", "Logging", "Metrics"] : ["AzureServices"]
    ip_rules                   = local.closed ? local.allowed_addresses : []
    virtual_network_subnet_ids = local.closed ? local.allowed_subnets : []
  }

  dynamic "identity" {
    for_each = azurerm_user_assigned_identity.encryption[*].id

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value]
    }
  }

  dynamic "customer_managed_key" {
    for_each = azurerm_user_assigned_identity.encryption[*].id

    content {
      key_vault_key_id          = var.kms_key
      user_assigned_identity_id = customer_managed_key.value
    }
  }

  # Without the permission on the key, Azure refuses an account that is to use it.
  depends_on = [azurerm_role_assignment.encryption]
}

resource "azurerm_storage_container" "this" {
  count = local.create ? 1 : 0

  name                  = local.container
  storage_account_id    = azurerm_storage_account.this[0].id
  container_access_type = "private"
}

# Found by its name, which is unique in all of Azure: and without reading the account's keys into the state,
# as the data source of an account would.
data "azurerm_resources" "account" {
  count = var.existing ? 1 : 0

  type = "Microsoft.Storage/storageAccounts"
  name = local.account

  lifecycle {
    precondition {
      condition     = var.container != null && var.storage_account != null
      error_message = "existing = true needs the names of what to adopt: container and storage_account."
    }

    postcondition {
      condition     = length(self.resources) == 1
      error_message = "There is no storage account of this name in the subscription, or these credentials may not see it."
    }
  }
}

data "azurerm_storage_container" "existing" {
  count = var.existing ? 1 : 0

  name               = local.container
  storage_account_id = local.account_id
}
