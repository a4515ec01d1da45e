"""Real systems that backups need: a PostgreSQL server, and stores of rclone that check who asks."""
