output "client_id" {
  description = "Client id of the application."
  value       = azuread_application.this.client_id

  depends_on = [azuread_application_federated_identity_credential.trusted]
}

output "object_id" {
  description = "Object id of the application itself, of which a client secret is asked for."
  value       = azuread_application.this.object_id
}

output "principal_id" {
  description = "Object id of the application's service principal: whom roles are granted to."
  value       = azuread_service_principal.this.object_id
}

output "tenant_id" {
  description = "Tenant that the application is in."
  value       = azuread_service_principal.this.application_tenant_id
}
