mock_provider "azuread" {
  mock_resource "azuread_application" {
    defaults = {
      id        = "/applications/00000000-0000-0000-0000-0000000000a1"
      client_id = "00000000-0000-0000-0000-0000000000c1"
      object_id = "00000000-0000-0000-0000-0000000000a1"
    }
  }
}

variables {
  stack           = "ml-prod"
  name            = "prod_connector"
  subscription_id = "00000000-0000-0000-0000-000000000001"
}

run "an_application_of_this_tenant_alone" {
  command = plan

  assert {
    condition     = azuread_application.this.sign_in_audience == "AzureADMyOrg"
    error_message = "No other tenant can use it."
  }

  assert {
    condition     = azuread_application.this.display_name == "ml-prod-prod_connector-${substr(sha256("ml-prod/prod_connector"), 0, 10)}"
    error_message = "The name is known beforehand."
  }

  assert {
    condition     = contains(azuread_application.this.tags, "stack:ml-prod") && contains(azuread_application.this.tags, "subscription:00000000-0000-0000-0000-000000000001") && contains(azuread_service_principal.this.tags, "provisioned-by:stack-provisioner")
    error_message = "Tags say who made it."
  }

  assert {
    condition     = length(azuread_application.this.password) == 0 && length(azuread_application_federated_identity_credential.trusted) == 0
    error_message = "No password, and nobody is trusted who is not named."
  }
}

run "trusted_subjects" {
  command = plan

  variables {
    trusted_subjects = ["https://token.actions.githubusercontent.com#repo:acme/ml:environment:prod#1"]
  }

  assert {
    condition     = azuread_application_federated_identity_credential.trusted[var.trusted_subjects[0]].issuer == "https://token.actions.githubusercontent.com"
    error_message = "The issuer stands before the first '#'."
  }

  assert {
    condition     = azuread_application_federated_identity_credential.trusted[var.trusted_subjects[0]].subject == "repo:acme/ml:environment:prod#1"
    error_message = "The subject is all behind it."
  }

  assert {
    condition     = azuread_application_federated_identity_credential.trusted[var.trusted_subjects[0]].audiences == tolist(["api://AzureADTokenExchange"])
    error_message = "Tokens are for Entra ID alone."
  }
}

run "a_wildcard_would_trust_whoever_fits" {
  command = plan

  variables {
    trusted_subjects = ["https://token.actions.githubusercontent.com#repo:acme/*"]
  }

  expect_failures = [var.trusted_subjects]
}

run "values_that_entra_would_refuse" {
  command = plan

  variables {
    stack            = "ML"
    name             = "9"
    trusted_subjects = ["http://plain#subject"]
  }

  expect_failures = [var.stack, var.name, var.trusted_subjects]
}
