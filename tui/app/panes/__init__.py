"""The panes and pages of the app, one module each."""
