mock_provider "azurerm" {
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mocked"
      client_id    = "00000000-0000-0000-0000-0000000000cc"
      principal_id = "00000000-0000-0000-0000-0000000000aa"
    }
  }
}

variables {
  stack = "ml-prod"
  name  = "prod_connector"
  grants = [{
    container_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts/acmeml/blobServices/default/containers/artifacts"
  }]
  principals = { ci = "00000000-0000-0000-0000-000000000002" }
}

run "contributor_on_the_container" {
  command = plan

  assert {
    condition     = azurerm_role_assignment.data["acmeml/artifacts#ci"].role_definition_name == "Storage Blob Data Contributor"
    error_message = "Read and write."
  }

  assert {
    condition     = azurerm_role_assignment.data["acmeml/artifacts#ci"].scope == var.grants[0].container_id
    error_message = "On the container, and on nothing above it."
  }

  assert {
    condition     = azurerm_role_assignment.signing["acmeml#ci"].role_definition_name == "Storage Blob Delegator" && endswith(azurerm_role_assignment.signing["acmeml#ci"].scope, "/storageAccounts/acmeml")
    error_message = "The account only signs."
  }

  assert {
    condition     = length(azurerm_user_assigned_identity.this) == 0
    error_message = "No identity is made for those who are there."
  }

  assert {
    condition     = output.client_id == null && output.roles == tolist(["Storage Blob Data Contributor", "Storage Blob Delegator"])
    error_message = "The outputs say what is granted."
  }
}

run "reader_on_the_container" {
  command = plan

  variables {
    access = "read-only"
  }

  assert {
    condition     = alltrue([for assignment in azurerm_role_assignment.data : assignment.role_definition_name == "Storage Blob Data Reader"])
    error_message = "Reading alone."
  }
}

run "each_container_and_account_once" {
  command = plan

  variables {
    grants = [
      { container_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts/acmeml/blobServices/default/containers/artifacts" },
      { container_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts/acmeml/blobServices/default/containers/artifacts" },
      { container_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts/acmeml/blobServices/default/containers/models" },
      { container_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts/other/blobServices/default/containers/models" },
    ]
    principals = { ci = "00000000-0000-0000-0000-000000000002", team = "00000000-0000-0000-0000-000000000003" }
  }

  assert {
    condition     = length(azurerm_role_assignment.data) == 6 && length(azurerm_role_assignment.signing) == 4
    error_message = "Azure refuses the same assignment twice."
  }

  assert {
    condition     = length(distinct([for assignment in concat(values(azurerm_role_assignment.data), values(azurerm_role_assignment.signing)) : assignment.name])) == 10
    error_message = "Each has a name of its own, known beforehand."
  }
}

run "a_managed_identity" {
  command = plan

  variables {
    principals       = {}
    managed_identity = true
    resource_group   = "ml"
    location         = "westeurope"
    tags             = { team = "ml" }
  }

  assert {
    condition     = azurerm_user_assigned_identity.this[0].name == "ml-prod-prod_connector-${substr(sha256("ml-prod/prod_connector"), 0, 10)}"
    error_message = "The name is known beforehand."
  }

  assert {
    condition     = keys(azurerm_role_assignment.data) == ["acmeml/artifacts#identity"] && azurerm_role_assignment.data["acmeml/artifacts#identity"].principal_type == "ServicePrincipal"
    error_message = "It is granted access, and nobody else."
  }

  assert {
    condition     = azurerm_user_assigned_identity.this[0].tags["connector"] == "prod_connector" && azurerm_user_assigned_identity.this[0].tags["team"] == "ml"
    error_message = "Tags say who made it."
  }
}

run "a_managed_identity_needs_a_place" {
  command = plan

  variables {
    managed_identity = true
  }

  expect_failures = [azurerm_user_assigned_identity.this]
}

run "nothing_above_a_container_can_be_granted" {
  command = plan

  variables {
    grants = [{ container_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts/acmeml" }]
  }

  expect_failures = [var.grants]
}

run "values_that_azure_would_refuse" {
  command = plan

  variables {
    stack          = "ML"
    name           = "9"
    access         = "all"
    principal_type = "Robot"
    tags           = { "a?b" = "c" }
  }

  expect_failures = [var.stack, var.name, var.access, var.principal_type, var.tags]
}

run "something_is_granted" {
  command = plan

  variables {
    grants = []
  }

  expect_failures = [var.grants]
}
