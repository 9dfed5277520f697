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
  description = "Name the connector is registered under; part of the service account's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "project" {
  description = "Id of the project the service account belongs to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is a project id: 6 to 30 characters, a-z, 0-9 and '-', starting with a letter (not the project's number)."
  }
}

variable "grants" {
  description = "What the service account may reach: per store its bucket and its prefix (empty for the whole bucket)."
  type = list(object({
    bucket = string
    prefix = optional(string, "")
  }))
  nullable = false

  validation {
    condition     = length(var.grants) > 0
    error_message = "grants names at least one bucket."
  }

  validation {
    condition     = alltrue([for grant in var.grants : can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", grant.bucket))])
    error_message = "grants: bucket is the name of one bucket."
  }

  # A quote or a backslash would end the text of a condition.
  validation {
    condition = alltrue([
      for grant in var.grants :
      can(regex("^([A-Za-z0-9!_.=+@,()-]+(/[A-Za-z0-9!_.=+@,()-]+)*)?$", grant.prefix)) &&
      !can(regex("(^|/)[.]{1,2}(/|$)", grant.prefix)) &&
      length(grant.prefix) <= 512
    ])
    error_message = "grants: prefix has at most 512 characters: letters, digits, ! _ . = + @ , ( ) - in parts joined by single '/', none of them '.' or '..', without '/' at either end."
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

variable "trusted_principals" {
  description = "Who may create tokens of the service account: user:, group: or serviceAccount: with an e-mail, or principal://, principalSet:// with an identity of a workload identity pool. Empty for nobody: then only a key of its own could use it."
  type        = list(string)
  nullable    = false

  validation {
    condition = alltrue([
      for principal in var.trusted_principals :
      can(regex("^(user|group|serviceAccount):[A-Za-z0-9._%+'-]+@[A-Za-z0-9.-]+$", principal)) ||
      can(regex("^(principal|principalSet)://iam[.]googleapis[.]com/[!-)+-~]+$", principal))
    ])
    error_message = "trusted_principals are user:EMAIL, group:EMAIL, serviceAccount:EMAIL, principal://iam.googleapis.com/… or principalSet://iam.googleapis.com/…; no wildcard, never allUsers."
  }
}
