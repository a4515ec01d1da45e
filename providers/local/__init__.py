"""This machine as a host, through child processes."""
