"""What a job is made of: what can be done, what would be done, what was said, what happened. Plain records."""
