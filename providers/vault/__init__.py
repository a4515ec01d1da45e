"""Secrets in Vault and OpenBao."""
