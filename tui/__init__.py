"""The two faces of the same operations: the command line and the full screen."""
