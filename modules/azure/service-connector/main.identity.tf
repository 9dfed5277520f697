locals {
  # The hash keeps two connectors apart whose joined names read the same.
  identity_name = "${substr("${var.stack}-${var.name}", 0, 53)}-${substr(sha256("${var.stack}/${var.name}"), 0, 10)}"

  tags = merge(var.tags, {
    "provisioned-by" = "stack-provisioner"
    "stack"          = var.stack
    "connector"      = var.name
  })
}

resource "azurerm_user_assigned_identity" "this" {
  count = var.managed_identity ? 1 : 0

  name                = local.identity_name
  resource_group_name = var.resource_group
  location            = var.location
  tags                = local.tags

  lifecycle {
    precondition {
      condition     = var.resource_group != null && var.location != null
      error_message = "managed_identity = true needs resource_group and location: where the identity is made."
    }
  }
}
