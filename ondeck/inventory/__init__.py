"""What exists: hosts, clusters, accounts, services, stacks and backups, from versioned files."""
