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
  description = "Name the connector is registered under; part of the role's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "grants" {
  description = "What the role may reach: per store its bucket_arn, its prefix (empty for the whole bucket) and its customer key's ARN (null without one)."
  type = list(object({
    bucket_arn  = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(var.grants) > 0
    error_message = "grants names at least one bucket."
  }

  validation {
    condition     = alltrue([for grant in var.grants : can(regex("^arn:[a-z0-9-]+:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", grant.bucket_arn))])
    error_message = "grants: bucket_arn is the ARN of one bucket, such as arn:aws:s3:::my-bucket; no wildcard."
  }

  # '*', '?', '$' and '&' mean something in an IAM policy: a prefix that held them could widen a grant.
  validation {
    condition = alltrue([
      for grant in var.grants :
      can(regex("^([A-Za-z0-9!_.=+@,()'-]+(/[A-Za-z0-9!_.=+@,()'-]+)*)?$", grant.prefix)) &&
      !can(regex("(^|/)[.]{1,2}(/|$)", grant.prefix)) &&
      length(grant.prefix) <= 512
    ])
    error_message = "grants: prefix has at most 512 characters: letters, digits, ! _ . = + @ , ( ) ' - in parts joined by single '/', none of them '.' or '..', without '/' at either end."
  }

  validation {
    condition = alltrue([
      for grant in var.grants :
      grant.kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", grant.kms_key_arn))
    ])
    error_message = "grants: kms_key_arn is the ARN of one key, such as arn:aws:kms:eu-west-1:123456789012:key/ID, or null."
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
  description = "Who may assume the role: ARNs of principals, or ARN#SUBJECT for workloads, the ARN being that of the account's OIDC provider for their tokens."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.trusted_principals) > 0
    error_message = "trusted_principals names at least one principal."
  }

  # The account part is empty or a tenant on Ceph.
  validation {
    condition = alltrue([
      for principal in var.trusted_principals :
      can(regex("^arn:[a-z0-9-]+:(iam|sts)::[A-Za-z0-9_-]*:(root|(user|role|assumed-role|federated-user)/[A-Za-z0-9_+=,.@/-]+|oidc-provider/[A-Za-z0-9._/-]+#[^*?#$\\s]+)$", principal))
    ])
    error_message = "trusted_principals are ARNs such as arn:aws:iam::123456789012:role/NAME, .../user/NAME or arn:aws:iam::123456789012:root, or arn:aws:iam::123456789012:oidc-provider/ISSUER#SUBJECT; no wildcard."
  }
}

variable "external_id" {
  description = "What a caller must say to assume the role (sts:ExternalId); null asks for nothing."
  type        = string
  default     = null

  validation {
    condition = (
      var.external_id == null ||
      try(can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && length(var.external_id) <= 1224, false)
    )
    error_message = "external_id has 2 to 1224 characters: letters, digits and _ + = , . @ : / -."
  }
}

variable "session_seconds" {
  description = "How long the credentials of one session live, in seconds; the role's own limit is never under 3600."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.session_seconds >= 900 && var.session_seconds <= 43200 && floor(var.session_seconds) == var.session_seconds
    error_message = "session_seconds is a whole number from 900 (15 minutes) to 43200 (12 hours)."
  }
}

variable "iam_tags" {
  description = "Tag the role; false for services whose roles have no tags."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags for the role, beside provisioned-by, stack and connector, which always win."
  type        = map(string)
  default     = {}
  nullable    = false

  # IAM allows 50 tags; three are ours.
  validation {
    condition = length(var.tags) <= 47 && alltrue([
      for key, value in var.tags :
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", key)) &&
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{0,256}$", value)) &&
      !startswith(lower(key), "aws:")
    ])
    error_message = "tags: at most 47; keys of 1 to 128 and values of 0 to 256 letters, digits, spaces and _ . : / = + - @; no key starts with aws:."
  }
}
