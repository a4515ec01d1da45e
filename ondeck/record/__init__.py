"""What was done: job folders, an index over them, the audit chain, reports."""
