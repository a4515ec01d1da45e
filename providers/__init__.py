"""The adapters: one folder per outside system. They import ondeck, never each other and never a face."""
