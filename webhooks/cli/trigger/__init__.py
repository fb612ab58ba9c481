"""`flask trigger`."""
