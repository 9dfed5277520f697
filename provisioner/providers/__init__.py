"""What is known of each provider, one file each; ``provisioner.catalog`` lists them."""
