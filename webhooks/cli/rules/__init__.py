"""`flask rules`."""
