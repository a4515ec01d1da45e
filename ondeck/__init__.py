"""The domain of ondeck: what exists, how it is read, how it is changed, and what was done.

It knows no network library and no widget: adapters are found by name through `ondeck.registry`.
"""
