"""The Terraform adapter: finding an engine, building command lines, running it, decoding its output."""
