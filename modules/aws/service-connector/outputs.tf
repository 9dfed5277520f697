output "role_arn" {
  description = "ARN of the role to assume."
  value       = aws_iam_role.this.arn

  depends_on = [aws_iam_role_policy.access]
}

output "role_name" {
  description = "Name of the role."
  value       = aws_iam_role.this.name
}

output "actions" {
  description = "Every action the role is granted, sorted."
  value       = local.granted
}
