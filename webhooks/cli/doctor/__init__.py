"""`flask doctor`."""
