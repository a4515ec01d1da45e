"""Backups with restic: repositories on folders, SFTP, S3, REST and rclone, read and changed by its own commands."""
