variable "stack" {
  description = "Name of the stack the store belongs to."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the store that is copied."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "The AWS account, 12 digits: the policy of the key names it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has 12 digits."
  }
}

variable "source_bucket" {
  description = "Name of the bucket that is copied; the name of the copy follows from it."
  type        = string
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days until an old version of a copy is removed; null keeps old versions for ever."
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

variable "tls_only" {
  description = "Refuse plain HTTP by bucket policy; false only for a service that is itself reached over plain HTTP."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags for what is created, beside provisioned-by, stack and artifact-store, which always win."
  type        = map(string)
  default     = {}
  nullable    = false
}
