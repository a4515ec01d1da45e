"""AWS to play and test on: moto_server behind a proxy that can be made to misbehave, and rclone's S3."""
