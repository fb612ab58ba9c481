"""`flask setup`."""
