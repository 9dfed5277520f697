output "bucket" {
  description = "Where the data lies, as ACCOUNT/CONTAINER."
  value       = "${local.account}/${local.container}"

  depends_on = [azurerm_storage_container.this, data.azurerm_storage_container.existing]
}

output "container" {
  description = "Name of the container."
  value       = local.container
}

output "storage_account" {
  description = "Name of the storage account."
  value       = local.account
}

output "storage_account_id" {
  description = "Resource id of the storage account."
  value       = local.account_id

  depends_on = [azurerm_storage_account.this, data.azurerm_storage_container.existing]
}

output "container_id" {
  description = "Resource id of the container: the scope of everything that is granted on its data."
  value       = local.container_id

  # Who is granted something on the container waits for it: a name that turns out to be taken is never granted.
  depends_on = [azurerm_storage_container.this, data.azurerm_storage_container.existing]
}

output "resource_group" {
  description = "Name of the resource group that the storage account is in."
  value       = local.resource_group

  depends_on = [azurerm_resource_group.this, data.azurerm_resource_group.given]
}

output "path" {
  description = "Where the store keeps its objects: az://CONTAINER or az://CONTAINER/PREFIX."
  value       = var.prefix == "" ? "az://${local.container}" : "az://${local.container}/${var.prefix}"

  depends_on = [
    azurerm_monitor_diagnostic_setting.blob,
    azurerm_private_endpoint.blob,
    azurerm_storage_container.this,
    azurerm_storage_management_policy.this,
    data.azurerm_storage_container.existing,
  ]
}

output "url" {
  description = "Address of the account's Blob service; null for an account that is adopted."
  value       = one(azurerm_storage_account.this[*].primary_blob_endpoint)
}

output "prefix" {
  description = "Path inside the container; empty for the whole container."
  value       = var.prefix
}
