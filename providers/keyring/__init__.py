"""Secrets in the keyring of who runs ondeck."""
