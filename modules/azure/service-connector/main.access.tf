locals {
  # What is granted, in one place; the README says it word for word and a test compares the two.
  data_role = var.access == "read-write" ? "Storage Blob Data Contributor" : "Storage Blob Data Reader"
  # Lets an identity ask for the key that signs a user delegation SAS, and see or do nothing else. The request
  # is one to the account, so Azure takes no narrower scope: the one grant above a container's.
  signing_role = "Storage Blob Delegator"

  # Stores may share a container or an account: each gets its grant once.
  containers = { for id in distinct([for grant in var.grants : grant.container_id]) : "${split("/", id)[8]}/${split("/", id)[12]}" => id }
  accounts   = { for id in distinct([for grant in var.grants : join("/", slice(split("/", grant.container_id), 0, 9))]) : split("/", id)[8] => id }

  principals = merge(
    var.principals,
    { for identity in azurerm_user_assigned_identity.this : "identity" => identity.principal_id },
  )
  # The keys alone, for those of an identity that is yet to be made are all that a plan can know.
  names = concat(keys(var.principals), var.managed_identity ? ["identity"] : [])
  types = merge(
    { for name in keys(var.principals) : name => var.principal_type },
    { identity = "ServicePrincipal" },
  )
}

resource "azurerm_role_assignment" "data" {
  for_each = { for pair in setproduct(keys(local.containers), local.names) : "${pair[0]}#${pair[1]}" => pair }

  # Foretold, so that a run that was cut off finds what it had made.
  name                 = uuidv5("url", "${local.containers[each.value[0]]}#${var.stack}/${var.name}/${each.value[1]}")
  scope                = local.containers[each.value[0]]
  role_definition_name = local.data_role
  principal_id         = local.principals[each.value[1]]
  principal_type       = local.types[each.value[1]]
}

resource "azurerm_role_assignment" "signing" {
  for_each = { for pair in setproduct(keys(local.accounts), local.names) : "${pair[0]}#${pair[1]}" => pair }

  name                 = uuidv5("url", "${local.accounts[each.value[0]]}#${var.stack}/${var.name}/${each.value[1]}")
  scope                = local.accounts[each.value[0]]
  role_definition_name = local.signing_role
  principal_id         = local.principals[each.value[1]]
  principal_type       = local.types[each.value[1]]
}
