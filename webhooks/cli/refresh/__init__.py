"""`flask refresh`."""
