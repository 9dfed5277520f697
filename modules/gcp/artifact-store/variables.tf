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
  description = "Name the store is registered under; part of the generated bucket name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "project" {
  description = "Id of the project the bucket belongs to; also the salt of its generated name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is a project id: 6 to 30 characters, a-z, 0-9 and '-', starting with a letter (not the project's number)."
  }
}

variable "location" {
  description = "Where the bucket lies: a region such as europe-west1, a dual-region such as EUR4, or EU, US, ASIA."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z]+-[A-Za-z]+[0-9]+|[A-Za-z]{2,4}[0-9]{1,2}|EU|US|ASIA|eu|us|asia)$", var.location))
    error_message = "location is a region such as europe-west1, a dual-region such as EUR4, or one of: EU, US, ASIA."
  }
}

variable "bucket" {
  description = "Bucket name; null makes one from stack, name and project."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 63 characters (222 with dots): a-z, 0-9, '-', '_' and '.', starting and ending with a letter or digit."
  }
}

variable "prefix" {
  description = "Path inside the bucket that the store keeps to; empty for the whole bucket."
  type        = string
  default     = ""
  nullable    = false

  # A quote or a backslash would end the text of an IAM condition.
  validation {
    condition = (
      can(regex("^([A-Za-z0-9!_.=+@,()-]+(/[A-Za-z0-9!_.=+@,()-]+)*)?$", var.prefix)) &&
      !can(regex("(^|/)[.]{1,2}(/|$)", var.prefix)) &&
      length(var.prefix) <= 512
    )
    error_message = "prefix has at most 512 characters: letters, digits, ! _ . = + @ , ( ) - in parts joined by single '/', none of them '.' or '..', without '/' at either end."
  }
}

variable "existing" {
  description = "true adopts a bucket that is already there: nothing is created, changed or destroyed."
  type        = bool
  default     = false
  nullable    = false
}

variable "storage_class" {
  description = "Storage class of new objects."
  type        = string
  default     = "STANDARD"
  nullable    = false

  validation {
    condition     = contains(["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"], var.storage_class)
    error_message = "storage_class is one of: STANDARD, NEARLINE, COLDLINE, ARCHIVE."
  }
}

variable "versioning" {
  description = "Keep old versions of objects."
  type        = bool
  default     = true
  nullable    = false
}

variable "soft_delete_days" {
  description = "Days that a deleted object can still be restored: 7 to 90, or 0 for none."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days)
    error_message = "soft_delete_days is a whole number from 7 to 90, or 0."
  }
}

variable "kms_key" {
  description = "Customer key for encryption, projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY; null for Google's own keys. Cloud Storage's service agent must be allowed to use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$", var.kms_key))
    error_message = "kms_key is projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, without a version."
  }
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

variable "abort_multipart_days" {
  description = "Days until the parts of an unfinished upload are removed; null keeps them for ever."
  type        = number
  default     = 7

  validation {
    condition     = var.abort_multipart_days == null || try(var.abort_multipart_days >= 1 && floor(var.abort_multipart_days) == var.abort_multipart_days, false)
    error_message = "abort_multipart_days is a whole number of days from 1, or null."
  }
}

variable "archive_after_days" {
  description = "Days until an object moves to the storage class COLDLINE (read at once, cheaper to keep); null for never."
  type        = number
  default     = null

  validation {
    condition     = var.archive_after_days == null || try(var.archive_after_days >= 1 && floor(var.archive_after_days) == var.archive_after_days, false)
    error_message = "archive_after_days is a whole number of days from 1, or null."
  }
}

variable "strict" {
  description = "The profile strict: access logs in a bucket of their own, and a customer key that is made, and rotated every 90 days, where kms_key names none."
  type        = bool
  default     = false
  nullable    = false
}

variable "storage_agent" {
  description = "E-mail of the project's Cloud Storage service agent, which must be able to use a key that is made here; null where none is."
  type        = string
  default     = null

  validation {
    condition     = var.storage_agent == null || can(regex("^[a-z0-9.-]+@[a-z0-9.-]+[.]gserviceaccount[.]com$", var.storage_agent))
    error_message = "storage_agent is service-NUMBER@gs-project-accounts.iam.gserviceaccount.com, or null."
  }
}

variable "log_days" {
  description = "Days that access logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.log_days >= 1 && floor(var.log_days) == var.log_days
    error_message = "log_days is a whole number of days from 1."
  }
}

variable "labels" {
  description = "Labels for what is created, beside provisioned-by, stack and artifact-store, which always win."
  type        = map(string)
  default     = {}
  nullable    = false

  # Google allows 64 labels; three are ours and one is the provider's.
  validation {
    condition = length(var.labels) <= 60 && alltrue([
      for key, value in var.labels :
      can(regex("^[\\p{Ll}\\p{Lo}][\\p{Ll}\\p{Lo}\\p{N}_-]{0,62}$", key)) && can(regex("^[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}$", value))
    ])
    error_message = "labels: at most 60; keys of 1 to 63 and values of 0 to 63 lower-case letters, digits, '_' and '-', a key starting with a letter."
  }
}
