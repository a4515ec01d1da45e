"""Terraform and OpenTofu: stacks planned, applied and looked at through their own command line."""
