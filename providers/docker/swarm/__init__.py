"""Services of a swarm and its nodes: changed through the managers, watched until the swarm has converged."""
