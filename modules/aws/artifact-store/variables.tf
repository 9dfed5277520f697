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

variable "account_id" {
  description = "Salt of the generated bucket name: the AWS account, or what stands for it on another service."
  type        = string
  default     = ""
  nullable    = false
}

variable "bucket" {
  description = "Bucket name; null makes one from stack, name and account_id."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 63 characters: a-z, 0-9, '-' and '.', starting and ending with a letter or digit."
  }
}

variable "prefix" {
  description = "Path inside the bucket that the store keeps to; empty for the whole bucket."
  type        = string
  default     = ""
  nullable    = false

  # '*', '?', '$' and '&' mean something in an IAM policy: a prefix that held them could widen a grant.
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
  description = "true adopts a bucket that is already there: nothing is created, changed or destroyed."
  type        = bool
  default     = false
  nullable    = false
}

variable "versioning" {
  description = "Keep old versions of objects."
  type        = bool
  default     = true
  nullable    = false
}

variable "encryption" {
  description = "Manage the bucket's default encryption; false for services that refuse the setting."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = "Customer key for encryption, as alias/NAME, key id or ARN; null for keys managed by S3."
  type        = string
  default     = null

  validation {
    condition = var.kms_key == null || can(regex(
      "^(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+|alias/[A-Za-z0-9/_-]+|(mrk-)?[0-9a-f-]{32,36})$",
      var.kms_key
    ))
    error_message = "kms_key is one of: alias/NAME, a key id, arn:aws:kms:REGION:ACCOUNT:key/ID, arn:aws:kms:REGION:ACCOUNT:alias/NAME."
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
  description = "Days until an object moves to the storage class GLACIER_IR (read at once, cheaper to keep); null for never."
  type        = number
  default     = null

  validation {
    condition     = var.archive_after_days == null || try(var.archive_after_days >= 1 && floor(var.archive_after_days) == var.archive_after_days, false)
    error_message = "archive_after_days is a whole number of days from 1, or null."
  }
}

variable "tls_only" {
  description = "Refuse plain HTTP by bucket policy; false only for a service that is itself reached over plain HTTP."
  type        = bool
  default     = true
  nullable    = false
}

variable "ownership_controls" {
  description = "Switch access control lists off (BucketOwnerEnforced); false for services that refuse the setting."
  type        = bool
  default     = true
  nullable    = false
}

variable "public_access_block" {
  description = "Set all four public access block flags; false for services that refuse the setting."
  type        = bool
  default     = true
  nullable    = false
}

variable "strict" {
  description = "Profile strict: a key of its own where kms_key names none, a log of every access, events, and a copy in a second region."
  type        = bool
  default     = false
  nullable    = false
}

variable "replica_bucket_arn" {
  description = "strict: ARN of the bucket of the artifact-replica that every object is copied to."
  type        = string
  default     = null
}

variable "replica_kms_key_arn" {
  description = "strict: ARN of the key that the copies are encrypted with."
  type        = string
  default     = null
}

variable "log_days" {
  description = "strict: days until a log of accesses is removed; null keeps them for ever."
  type        = number
  default     = 365

  validation {
    condition     = var.log_days == null || try(var.log_days >= 1 && floor(var.log_days) == var.log_days, false)
    error_message = "log_days is a whole number of days from 1, or null."
  }
}

variable "tags" {
  description = "Tags for the bucket, beside provisioned-by, stack and artifact-store, which always win."
  type        = map(string)
  default     = {}
  nullable    = false

  # S3 and IAM both allow 50 tags; three are ours.
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
