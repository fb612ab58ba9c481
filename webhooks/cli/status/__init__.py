"""`flask status`."""
