"""Real systems for the tests: whole Debian hosts with systemd, journald and sshd. They need root."""
