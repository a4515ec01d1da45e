"""Files that the demo puts on its hosts; they run there and import nothing of ondeck."""
