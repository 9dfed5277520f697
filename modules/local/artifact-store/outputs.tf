output "path" {
  description = "Absolute path of the directory."
  value       = var.path

  depends_on = [terraform_data.permissions]
}
