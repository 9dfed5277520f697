resource "azurerm_log_analytics_workspace" "this" {
  count = local.create && var.logging ? 1 : 0

  name                = local.generated
  resource_group_name = azurerm_storage_account.this[0].resource_group_name
  location            = var.location
  sku                 = "PerGB2018"
  retention_in_days   = var.log_days
  tags                = local.tags
}

resource "azurerm_monitor_diagnostic_setting" "blob" {
  count = local.create && var.logging ? 1 : 0

  name                       = "access"
  target_resource_id         = "${azurerm_storage_account.this[0].id}/blobServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this[0].id

  dynamic "enabled_log" {
    for_each = ["StorageRead", "StorageWrite", "StorageDelete"]

    content {
      category = enabled_log.value
    }
  }
}
