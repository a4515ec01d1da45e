"""Side-by-side runs against peers and floors; `targets.toml` holds every target, results are ratios."""
