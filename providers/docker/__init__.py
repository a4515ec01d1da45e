"""Engines of Docker and swarms of them: what they run, their logs and events, and deploys onto them."""
