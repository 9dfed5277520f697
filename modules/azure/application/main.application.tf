locals {
  # The hash keeps two connectors apart whose joined names read the same.
  display_name = "${substr("${var.stack}-${var.name}", 0, 53)}-${substr(sha256("${var.stack}/${var.name}"), 0, 10)}"

  # An application has no tags with values; these say the same in words. A tenant has many subscriptions.
  tags = [
    "provisioned-by:stack-provisioner",
    "subscription:${var.subscription_id}",
    "stack:${var.stack}",
    "connector:${var.name}",
  ]

  # ISSUER#SUBJECT: an issuer is a URL without a fragment, so the first '#' is the one between them.
  subjects = {
    for trusted in var.trusted_subjects : trusted => {
      issuer  = split("#", trusted)[0]
      subject = join("#", slice(split("#", trusted), 1, length(split("#", trusted))))
    }
  }
}

resource "azuread_application" "this" {
  display_name     = local.display_name
  sign_in_audience = "AzureADMyOrg"
  tags             = local.tags
}

resource "azuread_service_principal" "this" {
  client_id = azuread_application.this.client_id
  tags      = local.tags
}

resource "azuread_application_federated_identity_credential" "trusted" {
  for_each = local.subjects

  application_id = azuread_application.this.id
  display_name   = "trusted-${substr(sha256(each.key), 0, 10)}"
  audiences      = ["api://AzureADTokenExchange"]
  issuer         = each.value.issuer
  subject        = each.value.subject
}
