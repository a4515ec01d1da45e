"""Templates to build from: the builders `file` and `null` only, so nothing is fetched and nothing is started."""
