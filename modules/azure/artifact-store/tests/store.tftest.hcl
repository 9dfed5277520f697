mock_provider "azurerm" {
  mock_resource "azurerm_storage_account" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/mocked/providers/Microsoft.Storage/storageAccounts/mocked"
    }
  }

  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/mocked/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mocked"
      principal_id = "00000000-0000-0000-0000-0000000000aa"
    }
  }

  mock_resource "azurerm_log_analytics_workspace" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/mocked/providers/Microsoft.OperationalInsights/workspaces/mocked"
    }
  }

  mock_data "azurerm_resources" {
    defaults = {
      resources = [{
        id                  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/theirs/providers/Microsoft.Storage/storageAccounts/acmeml"
        location            = "westeurope"
        name                = "acmeml"
        resource_group_name = "theirs"
        tags                = {}
        type                = "Microsoft.Storage/storageAccounts"
      }]
    }
  }
}

variables {
  stack           = "ml-prod"
  name            = "prod_store"
  subscription_id = "00000000-0000-0000-0000-000000000001"
  location        = "westeurope"
}

run "closed_to_the_public_by_default" {
  command = plan

  assert {
    condition     = azurerm_storage_container.this[0].container_access_type == "private"
    error_message = "The container is private."
  }

  assert {
    condition     = !azurerm_storage_account.this[0].allow_nested_items_to_be_public
    error_message = "Nothing in the account can be made public."
  }

  assert {
    condition     = azurerm_storage_account.this[0].https_traffic_only_enabled && azurerm_storage_account.this[0].min_tls_version == "TLS1_2"
    error_message = "HTTPS only, with TLS 1.2 at least."
  }

  assert {
    condition     = !azurerm_storage_account.this[0].shared_access_key_enabled && !azurerm_storage_account.this[0].local_user_enabled
    error_message = "No keys and no local users: identities alone."
  }

  assert {
    condition     = !azurerm_storage_account.this[0].cross_tenant_replication_enabled
    error_message = "Nothing is replicated to another tenant."
  }

  assert {
    condition     = azurerm_storage_account.this[0].network_rules[0].default_action == "Allow"
    error_message = "Without named networks the account is reached by everyone who may."
  }
}

run "history_is_kept" {
  command = plan

  assert {
    condition     = azurerm_storage_account.this[0].blob_properties[0].versioning_enabled
    error_message = "Old versions are kept."
  }

  assert {
    condition     = azurerm_storage_account.this[0].blob_properties[0].delete_retention_policy[0].days == 7
    error_message = "Deleted blobs can be brought back for a week."
  }

  assert {
    condition     = azurerm_storage_account.this[0].blob_properties[0].container_delete_retention_policy[0].days == 7
    error_message = "So can the container."
  }

  assert {
    condition     = azurerm_storage_management_policy.this[0].rule[0].actions[0].version[0].delete_after_days_since_creation == 90
    error_message = "Old versions go after 90 days."
  }

  assert {
    condition     = length(azurerm_storage_management_policy.this[0].rule[0].actions[0].base_blob) == 0
    error_message = "Blobs themselves stay as they are."
  }
}

run "blobs_move_to_cheaper_storage" {
  command = plan

  variables {
    noncurrent_days    = null
    archive_after_days = 365
  }

  assert {
    condition     = azurerm_storage_management_policy.this[0].rule[0].actions[0].base_blob[0].tier_to_cold_after_days_since_modification_greater_than == 365
    error_message = "After a year a blob is cold: read at once, but cheaper."
  }

  assert {
    condition     = length(azurerm_storage_management_policy.this[0].rule[0].actions[0].version) == 0
    error_message = "null keeps old versions for ever."
  }
}

run "hot_unless_said_otherwise" {
  command = plan

  assert {
    condition     = azurerm_storage_account.this[0].access_tier == "Hot"
    error_message = "Made for what is read often."
  }
}

run "written_to_a_cheaper_tier" {
  command = plan

  variables {
    access_tier = "Cold"
  }

  assert {
    condition     = azurerm_storage_account.this[0].access_tier == "Cold" && azurerm_storage_account.this[0].account_tier == "Standard"
    error_message = "The tier of what is written, in an account of the usual kind."
  }
}

run "without_days_there_is_no_policy" {
  command = plan

  variables {
    noncurrent_days = null
  }

  assert {
    condition     = length(azurerm_storage_management_policy.this) == 0
    error_message = "No days, no policy."
  }
}

run "names_are_generated_and_stable" {
  command = plan

  assert {
    condition     = azurerm_storage_account.this[0].name == "mlprodprodstor${substr(sha256("00000000-0000-0000-0000-000000000001/ml-prod/prod_store"), 0, 10)}"
    error_message = "The account: letters and digits alone, 24 at most."
  }

  assert {
    condition     = output.container == "ml-prod-prod-store-${substr(sha256("00000000-0000-0000-0000-000000000001/ml-prod/prod_store"), 0, 10)}"
    error_message = "The container: stack, store and hash."
  }

  assert {
    condition     = azurerm_resource_group.this[0].name == output.container && output.bucket == "${output.storage_account}/${output.container}"
    error_message = "The resource group is named like the container."
  }

  assert {
    condition     = output.container_id == "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/${output.resource_group}/providers/Microsoft.Storage/storageAccounts/${output.storage_account}/blobServices/default/containers/${output.container}"
    error_message = "The scope of every grant stands in the plan."
  }
}

run "dashes_in_a_row_become_one" {
  command = plan

  variables {
    stack = "ml--prod"
    name  = "a__b"
  }

  assert {
    condition     = startswith(output.container, "ml-prod-a-b-")
    error_message = "Azure takes no two dashes in a row."
  }
}

run "given_names_are_taken" {
  command = plan

  variables {
    storage_account = "acmeml"
    container       = "artifacts"
    resource_group  = "theirs"
    prefix          = "teams/ml"
  }

  override_data {
    target = data.azurerm_resource_group.given[0]
    values = {
      name = "theirs"
    }
  }

  assert {
    condition     = azurerm_storage_account.this[0].name == "acmeml" && azurerm_storage_account.this[0].resource_group_name == "theirs"
    error_message = "The account is made in the resource group that is there."
  }

  assert {
    condition     = length(azurerm_resource_group.this) == 0
    error_message = "A resource group that is named is not made."
  }

  assert {
    condition     = output.path == "az://artifacts/teams/ml"
    error_message = "The path holds container and prefix."
  }
}

run "existing_changes_nothing" {
  command = plan

  variables {
    existing        = true
    storage_account = "acmeml"
    container       = "artifacts"
    noncurrent_days = 30
    logging         = true
    kms_key         = "https://acme.vault.azure.net/keys/ml"
  }

  assert {
    condition = (
      length(azurerm_resource_group.this) == 0 &&
      length(azurerm_storage_account.this) == 0 &&
      length(azurerm_storage_container.this) == 0 &&
      length(azurerm_storage_management_policy.this) == 0 &&
      length(azurerm_user_assigned_identity.encryption) == 0 &&
      length(azurerm_monitor_diagnostic_setting.blob) == 0
    )
    error_message = "What is there already is left as it is."
  }

  assert {
    condition     = output.resource_group == "theirs" && endswith(output.container_id, "/storageAccounts/acmeml/blobServices/default/containers/artifacts")
    error_message = "The account is found by its name."
  }
}

run "existing_needs_a_name" {
  command = plan

  variables {
    existing  = true
    container = "artifacts"
  }

  expect_failures = [data.azurerm_resources.account]
}

run "an_account_that_is_not_there_is_not_adopted" {
  command = plan

  variables {
    existing        = true
    storage_account = "acmeml"
    container       = "artifacts"
  }

  override_data {
    target = data.azurerm_resources.account[0]
    values = {
      resources = []
    }
  }

  expect_failures = [data.azurerm_resources.account]
}

run "a_customer_key" {
  command = plan

  variables {
    kms_key = "https://acme-keys.vault.azure.net/keys/ml/0123456789abcdef0123456789abcdef"
  }

  override_data {
    target = data.azurerm_resources.key_vault[0]
    values = {
      resources = [{
        id                  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/acme-keys"
        location            = "westeurope"
        name                = "acme-keys"
        resource_group_name = "keys"
        tags                = {}
        type                = "Microsoft.KeyVault/vaults"
      }]
    }
  }

  assert {
    condition     = data.azurerm_resources.key_vault[0].name == "acme-keys"
    error_message = "The vault is found by its name."
  }

  assert {
    condition     = azurerm_role_assignment.encryption[0].scope == "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/acme-keys/keys/ml"
    error_message = "The account's identity reaches this one key."
  }

  assert {
    condition     = azurerm_role_assignment.encryption[0].role_definition_name == "Key Vault Crypto Service Encryption User"
    error_message = "It may wrap and unwrap, nothing else."
  }

  assert {
    condition     = azurerm_storage_account.this[0].customer_managed_key[0].key_vault_key_id == var.kms_key
    error_message = "The account uses the key."
  }
}

run "named_networks_alone" {
  command = plan

  variables {
    allowed_networks = ["203.0.113.0/24", "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/ml/subnets/train"]
  }

  assert {
    condition     = azurerm_storage_account.this[0].network_rules[0].default_action == "Deny"
    error_message = "Everyone else is refused."
  }

  assert {
    condition     = tolist(azurerm_storage_account.this[0].network_rules[0].ip_rules) == tolist(["203.0.113.0/24"]) && length(azurerm_storage_account.this[0].network_rules[0].virtual_network_subnet_ids) == 1
    error_message = "Addresses and subnets are told apart."
  }

  assert {
    condition     = azurerm_storage_account.this[0].public_network_access_enabled
    error_message = "The public address answers those who are named."
  }
}

run "strict" {
  command = plan

  variables {
    kms_key                   = "https://acme-keys.vault.azure.net/keys/ml"
    infrastructure_encryption = true
    replication               = "GRS"
    network_default_deny      = true
    private_endpoint_subnet   = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/ml/subnets/endpoints"
    logging                   = true
  }

  assert {
    condition     = azurerm_storage_account.this[0].account_replication_type == "GRS" && azurerm_storage_account.this[0].infrastructure_encryption_enabled
    error_message = "In two regions, and encrypted twice."
  }

  assert {
    condition     = !azurerm_storage_account.this[0].public_network_access_enabled && azurerm_storage_account.this[0].network_rules[0].default_action == "Deny"
    error_message = "The private endpoint alone answers."
  }

  assert {
    condition     = azurerm_private_endpoint.blob[0].private_service_connection[0].subresource_names == tolist(["blob"])
    error_message = "It is one for blobs."
  }

  assert {
    condition     = length(azurerm_monitor_diagnostic_setting.blob[0].enabled_log) == 3
    error_message = "Reads, writes and deletes are logged."
  }
}

run "tags_say_who_made_it" {
  command = plan

  variables {
    tags = { team = "ml", stack = "other" }
  }

  assert {
    condition = azurerm_storage_account.this[0].tags == tomap({
      "provisioned-by" = "stack-provisioner"
      "stack"          = "ml-prod"
      "artifact-store" = "prod_store"
      "team"           = "ml"
    })
    error_message = "Ours win over given ones."
  }
}

run "values_that_azure_would_refuse" {
  command = plan

  variables {
    stack                   = "ML"
    subscription_id         = "acme"
    location                = "West Europe"
    storage_account         = "Acme-ML"
    container               = "two--dashes"
    prefix                  = "../up"
    resource_group          = "ends."
    noncurrent_days         = 0
    archive_after_days      = 1.5
    soft_delete_days        = 366
    access_tier             = "Archive"
    replication             = "none"
    allowed_networks        = ["0.0.0.0/0/0"]
    private_endpoint_subnet = "subnet"
    kms_key                 = "alias/ml"
    log_days                = 1
    tags                    = { "a/b" = "c" }
  }

  expect_failures = [
    var.stack,
    var.subscription_id,
    var.location,
    var.storage_account,
    var.container,
    var.prefix,
    var.resource_group,
    var.noncurrent_days,
    var.archive_after_days,
    var.soft_delete_days,
    var.access_tier,
    var.replication,
    var.allowed_networks,
    var.private_endpoint_subnet,
    var.kms_key,
    var.log_days,
    var.tags,
  ]
}
