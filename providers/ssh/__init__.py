"""Hosts over SSH: connections, host keys, ssh_config, jump hosts."""
