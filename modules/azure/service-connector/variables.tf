variable "stack" {
  description = "Name of the stack this connector belongs to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}$", var.stack))
    error_message = "stack has 2 to 30 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "name" {
  description = "Name the connector is registered under; part of the identity's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "grants" {
  description = "What may be reached: the resource id of each store's container."
  type = list(object({
    container_id = string
  }))
  nullable = false

  validation {
    condition     = length(var.grants) > 0
    error_message = "grants names at least one container."
  }

  # Anything shorter would be an account, a resource group or a subscription.
  validation {
    condition = alltrue([
      for grant in var.grants :
      can(regex("^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft[.]Storage/storageAccounts/[a-z0-9]{3,24}/blobServices/default/containers/[a-z0-9$-]{3,63}$", grant.container_id))
    ])
    error_message = "grants: container_id is the resource id of one container: /subscriptions/.../storageAccounts/NAME/blobServices/default/containers/NAME."
  }
}

variable "access" {
  description = "read-write, or read-only: list and get alone."
  type        = string
  default     = "read-write"
  nullable    = false

  validation {
    condition     = contains(["read-write", "read-only"], var.access)
    error_message = "access is one of: read-write, read-only."
  }
}

variable "principals" {
  description = "Who is granted access: a name for each, and its object id in Entra ID."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "principal_type" {
  description = "What the principals are: User, Group or ServicePrincipal; null lets Azure look."
  type        = string
  default     = null

  validation {
    condition     = var.principal_type == null || contains(["User", "Group", "ServicePrincipal"], coalesce(var.principal_type, "User"))
    error_message = "principal_type is one of: User, Group, ServicePrincipal; or null."
  }
}

variable "managed_identity" {
  description = "Make a user-assigned managed identity and grant it access, too: no key, no password."
  type        = bool
  default     = false
  nullable    = false
}

variable "resource_group" {
  description = "Resource group that the managed identity is made in; null without one."
  type        = string
  default     = null
}

variable "location" {
  description = "Azure location of the managed identity, such as westeurope; null without one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the managed identity, beside provisioned-by, stack and connector, which always win."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(var.tags) <= 47 && alltrue([
      for key, value in var.tags :
      can(regex("^[^<>%&\\\\?/]{1,128}$", key)) && length(value) <= 256
    ])
    error_message = "tags: at most 47; keys of 1 to 128 characters without < > % & \\ ? /, values of 0 to 256 characters."
  }
}
