"""Deploys of immutable release folders to plain hosts, and by the team's own command."""
