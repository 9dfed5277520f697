locals {
  # https://VAULT.vault.azure.net/keys/NAME or .../keys/NAME/VERSION
  key_vault = var.kms_key == null ? null : split(".", split("/", var.kms_key)[2])[0]
  key_name  = var.kms_key == null ? null : split("/", var.kms_key)[4]
  encrypt   = local.create && var.kms_key != null
}

data "azurerm_resources" "key_vault" {
  count = local.encrypt ? 1 : 0

  type = "Microsoft.KeyVault/vaults"
  name = local.key_vault

  lifecycle {
    postcondition {
      condition     = length(self.resources) == 1
      error_message = "There is no key vault of this name in the subscription, or these credentials may not see it."
    }
  }
}

resource "azurerm_user_assigned_identity" "encryption" {
  count = local.encrypt ? 1 : 0

  name                = "${local.account}-key"
  resource_group_name = var.resource_group == null ? azurerm_resource_group.this[0].name : data.azurerm_resource_group.given[0].name
  location            = var.location
  tags                = local.tags
}

# Wrap and unwrap with this one key: what the account needs to encrypt, and nobody is granted anything by it.
resource "azurerm_role_assignment" "encryption" {
  count = local.encrypt ? 1 : 0

  name                 = uuidv5("url", "${local.account_id}#encryption")
  scope                = "${one(data.azurerm_resources.key_vault[0].resources[*].id)}/keys/${local.key_name}"
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.encryption[0].principal_id
  principal_type       = "ServicePrincipal"
}
