"""Certificates that members serve, asked from this machine."""
