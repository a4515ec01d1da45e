"""Hosts and clusters that files of other tools name."""
