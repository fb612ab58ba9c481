"""`flask webhooks`."""
