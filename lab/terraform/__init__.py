"""Stacks to play and to test on: git repositories made on the spot, and a store of states with real locks."""
