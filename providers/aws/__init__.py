"""AWS through boto3, in bounded threads."""
