locals {
  allowed_subnets   = [for network in var.allowed_networks : network if startswith(network, "/")]
  allowed_addresses = [for network in var.allowed_networks : network if !startswith(network, "/")]

  closed = var.network_default_deny || length(var.allowed_networks) > 0 || var.private_endpoint_subnet != null
  # With a private endpoint and nobody else named, the public address answers no one.
  private = var.private_endpoint_subnet != null && length(var.allowed_networks) == 0
}

resource "azurerm_private_endpoint" "blob" {
  count = local.create && var.private_endpoint_subnet != null ? 1 : 0

  name                = "${local.account}-blob"
  resource_group_name = azurerm_storage_account.this[0].resource_group_name
  location            = var.location
  subnet_id           = var.private_endpoint_subnet
  tags                = local.tags

  private_service_connection {
    name                           = "${local.account}-blob"
    private_connection_resource_id = azurerm_storage_account.this[0].id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }
}
