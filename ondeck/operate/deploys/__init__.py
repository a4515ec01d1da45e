"""What every way of deploying a service has in common: looking before a plan, the order and care of a rollout,
the way back, drains, gates and what is remembered. A provider adds how a release gets onto one target.
"""
