"""`flask events`."""
