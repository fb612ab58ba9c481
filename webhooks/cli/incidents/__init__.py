"""`flask incidents`."""
