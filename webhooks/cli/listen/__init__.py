"""`flask listen`."""
