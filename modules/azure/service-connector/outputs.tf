output "client_id" {
  description = "Client id of the identity that was made; null where there is none."
  value       = one(azurerm_user_assigned_identity.this[*].client_id)

  depends_on = [azurerm_role_assignment.data, azurerm_role_assignment.signing]
}

output "identity_id" {
  description = "Resource id of the identity that was made, for whatever machine is to have it; null where there is none."
  value       = one(azurerm_user_assigned_identity.this[*].id)
}

output "roles" {
  description = "Every role that is granted, sorted."
  value       = sort([local.data_role, local.signing_role])

  depends_on = [azurerm_role_assignment.data, azurerm_role_assignment.signing]
}
