"""The demo's hosts: six SSH servers on this machine's own loopback addresses."""
