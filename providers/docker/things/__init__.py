"""What can be done with single things of an engine or a swarm: containers, images, nodes."""
