"""Deploys of services of `kind: docker` onto the engines of plain hosts."""
