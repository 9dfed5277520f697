variable "stack" {
  description = "Name of the stack this store belongs to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}$", var.stack))
    error_message = "stack has 2 to 30 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "name" {
  description = "Name the store is registered under; part of the generated names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "subscription_id" {
  description = "Subscription that everything is in; also the salt of the generated names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a UUID in lower case."
  }
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{2,40}$", var.location))
    error_message = "location is the short name of an Azure location, such as westeurope."
  }
}

variable "resource_group" {
  description = "Resource group that is already there, for the account; null makes one for this store."
  type        = string
  default     = null

  validation {
    condition     = var.resource_group == null || can(regex("^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$", var.resource_group))
    error_message = "resource_group has 1 to 90 characters: letters, digits and _ ( ) . -, not ending in a dot."
  }
}

variable "storage_account" {
  description = "Storage account name; null makes one from stack, name and subscription_id."
  type        = string
  default     = null

  validation {
    condition     = var.storage_account == null || can(regex("^[a-z0-9]{3,24}$", var.storage_account))
    error_message = "storage_account has 3 to 24 characters: a-z and 0-9."
  }
}

variable "container" {
  description = "Container name; null makes one from stack, name and subscription_id."
  type        = string
  default     = null

  validation {
    condition     = var.container == null || try(can(regex("^[a-z0-9](-?[a-z0-9])+$", var.container)) && length(var.container) >= 3 && length(var.container) <= 63, false)
    error_message = "container has 3 to 63 characters: a-z, 0-9 and single '-', starting and ending with a letter or digit."
  }
}

variable "prefix" {
  description = "Path inside the container that the store keeps to; empty for the whole container."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition = (
      can(regex("^([A-Za-z0-9!_.=+@,()'-]+(/[A-Za-z0-9!_.=+@,()'-]+)*)?$", var.prefix)) &&
      !can(regex("(^|/)[.]{1,2}(/|$)", var.prefix)) &&
      length(var.prefix) <= 512
    )
    error_message = "prefix has at most 512 characters: letters, digits, ! _ . = + @ , ( ) ' - in parts joined by single '/', none of them '.' or '..', without '/' at either end."
  }
}

variable "existing" {
  description = "true adopts a container that is already there, with its account and resource group: nothing is created, changed or destroyed."
  type        = bool
  default     = false
  nullable    = false
}

variable "versioning" {
  description = "Keep old versions of blobs."
  type        = bool
  default     = true
  nullable    = false
}

variable "soft_delete_days" {
  description = "Days for which a deleted blob, version or container can be brought back."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.soft_delete_days >= 1 && var.soft_delete_days <= 365 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days is a whole number of days from 1 to 365."
  }
}

variable "kms_key" {
  description = "Customer key, as the identifier of a key vault's key with or without version; null for keys managed by Azure."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^https://[a-z][a-z0-9-]{1,22}[a-z0-9][.]vault[.]azure[.](net|cn)/keys/[A-Za-z0-9-]{1,127}(/[0-9a-f]{32})?$", var.kms_key))
    error_message = "kms_key is https://VAULT.vault.azure.net/keys/NAME or https://VAULT.vault.azure.net/keys/NAME/VERSION."
  }
}

variable "infrastructure_encryption" {
  description = "Encrypt twice, with two algorithms; cannot be changed afterwards without a new account."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days until an old version is removed; null keeps old versions for ever."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_days == null || try(var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days, false)
    error_message = "noncurrent_days is a whole number of days from 1, or null."
  }
}

variable "archive_after_days" {
  description = "Days until a blob moves to the tier Cold (read at once, cheaper to keep); null for never."
  type        = number
  default     = null

  validation {
    condition     = var.archive_after_days == null || try(var.archive_after_days >= 1 && floor(var.archive_after_days) == var.archive_after_days, false)
    error_message = "archive_after_days is a whole number of days from 1, or null."
  }
}

variable "access_tier" {
  description = "Tier of blobs that have none of their own, which are all that a store writes: Hot, Cool or Cold. All three are read at once."
  type        = string
  default     = "Hot"
  nullable    = false

  validation {
    condition     = contains(["Hot", "Cool", "Cold"], var.access_tier)
    error_message = "access_tier is one of: Hot, Cool, Cold."
  }
}

variable "replication" {
  description = "Copies that Azure keeps: LRS and ZRS in one region, the others in a second one, too."
  type        = string
  default     = "LRS"
  nullable    = false

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.replication)
    error_message = "replication is one of: LRS, ZRS, GRS, RAGRS, GZRS, RAGZRS."
  }
}

variable "network_default_deny" {
  description = "Refuse everyone who comes over the network, but allowed_networks and Azure's own services."
  type        = bool
  default     = false
  nullable    = false
}

variable "allowed_networks" {
  description = "Who may come over the network: public IPv4 addresses, ranges, resource ids of subnets. Empty for everyone, unless network_default_deny."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for network in var.allowed_networks :
      can(regex("^[0-9]{1,3}([.][0-9]{1,3}){3}(/([0-9]|[12][0-9]|30))?$", network)) ||
      can(regex("^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft[.]Network/virtualNetworks/[^/]+/subnets/[^/]+$", network))
    ])
    error_message = "allowed_networks: public IPv4 addresses, ranges up to /30, or resource ids of subnets (/subscriptions/.../subnets/NAME)."
  }
}

variable "private_endpoint_subnet" {
  description = "Resource id of the subnet that gets a private endpoint to the account; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.private_endpoint_subnet == null || can(regex("^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft[.]Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.private_endpoint_subnet))
    error_message = "private_endpoint_subnet is the resource id of a subnet: /subscriptions/.../virtualNetworks/NAME/subnets/NAME."
  }
}

variable "logging" {
  description = "Log every read, write and delete into a Log Analytics workspace that is made for it."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_days" {
  description = "Days for which the log is kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.log_days >= 30 && var.log_days <= 730 && floor(var.log_days) == var.log_days
    error_message = "log_days is a whole number of days from 30 to 730."
  }
}

variable "tags" {
  description = "Tags for everything that is made, beside provisioned-by, stack and artifact-store, which always win."
  type        = map(string)
  default     = {}
  nullable    = false

  # Azure takes 50 tags on a resource; three are ours. Storage accounts allow keys of 128 characters at most.
  validation {
    condition = length(var.tags) <= 47 && alltrue([
      for key, value in var.tags :
      can(regex("^[^<>%&\\\\?/]{1,128}$", key)) && length(value) <= 256
    ])
    error_message = "tags: at most 47; keys of 1 to 128 characters without < > % & \\ ? /, values of 0 to 256 characters."
  }
}
