"""What a cloud has right now, read through its own SDK, against what Terraform noted of it."""
