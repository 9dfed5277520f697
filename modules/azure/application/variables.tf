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
  description = "Name the connector is registered under; part of the application's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "subscription_id" {
  description = "Subscription of the stack: it tells the application from that of a stack of the same name elsewhere in the tenant."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a UUID in lower case."
  }
}

variable "trusted_subjects" {
  description = "Who may act as the application without any secret, each as ISSUER#SUBJECT of an OpenID Connect token."
  type        = list(string)
  default     = []
  nullable    = false

  # Entra ID takes 20 per application.
  validation {
    condition = length(var.trusted_subjects) <= 20 && alltrue([
      for trusted in var.trusted_subjects : can(regex("^https://[^#*?[:space:]]+#[^*?[:space:]]+$", trusted))
    ])
    error_message = "trusted_subjects: at most 20, each ISSUER#SUBJECT, such as https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main; no wildcard."
  }
}
