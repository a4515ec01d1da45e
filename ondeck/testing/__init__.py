"""What authors of providers need to prove that theirs keeps the promises: one suite per port."""
