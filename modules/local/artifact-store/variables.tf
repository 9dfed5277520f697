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
  description = "Name the store is registered under."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.name))
    error_message = "name has 1 to 63 characters: a-z, 0-9, '_' and '-', starting with a letter."
  }
}

variable "path" {
  description = "Absolute path of the directory."
  type        = string
  nullable    = false

  validation {
    condition = (
      can(regex("^/[^[:cntrl:]]*[^/[:cntrl:]]$", var.path)) &&
      !can(regex("/[.]{1,2}(/|$)", var.path)) &&
      length(var.path) <= 4000
    )
    error_message = "path is absolute, has at most 4000 characters, no control characters, no '.' or '..' parts and no '/' at its end."
  }
}

variable "existing" {
  description = "true adopts a directory that is already there: nothing is created, changed or destroyed."
  type        = bool
  default     = false
  nullable    = false
}
