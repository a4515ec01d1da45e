"""Reading: async streams of typed records. Nothing here ever changes anything."""
