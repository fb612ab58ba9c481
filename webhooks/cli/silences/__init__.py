"""`flask silences`."""
