variable "path" {
  type = string
}

variable "existing" {
  type = bool
}

module "store" {
  source = "../modules/local/artifact-store"

  stack    = "ml-prod"
  name     = "store"
  path     = var.path
  existing = var.existing
}

output "path" {
  value = module.store.path
}
