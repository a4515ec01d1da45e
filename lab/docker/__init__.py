"""Real engines of Docker and a real registry on this machine, with images that are made from nothing."""
