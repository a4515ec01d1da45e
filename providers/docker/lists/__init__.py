"""Live things of an engine or a swarm: what the lists of the manifest show."""
