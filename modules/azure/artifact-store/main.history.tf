locals {
  lifecycle = local.create && !(var.noncurrent_days == null && var.archive_after_days == null)
}

resource "azurerm_storage_management_policy" "this" {
  count = local.lifecycle ? 1 : 0

  storage_account_id = azurerm_storage_account.this[0].id

  rule {
    name    = "history"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      dynamic "base_blob" {
        for_each = var.archive_after_days[*]

        content {
          tier_to_cold_after_days_since_modification_greater_than = base_blob.value
        }
      }

      dynamic "snapshot" {
        for_each = var.noncurrent_days[*]

        content {
          delete_after_days_since_creation_greater_than = snapshot.value
        }
      }

      dynamic "version" {
        for_each = var.noncurrent_days[*]

        content {
          delete_after_days_since_creation = version.value
        }
      }
    }
  }
}
