"""The road of a backup, the same for every engine: plan, steps on hosts, proof by an independent look."""
