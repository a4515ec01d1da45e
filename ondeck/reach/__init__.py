"""How a host is reached: the port that carries every command and file, whatever the transport."""
