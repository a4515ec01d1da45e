"""Secrets that need nobody: variables, files, and commands that the inventory names."""
