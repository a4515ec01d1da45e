"""Backups with borg 1.2: archives in a repository on a folder or over SSH, read and changed by its own commands."""
