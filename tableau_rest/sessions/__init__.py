"""Sign in, and share the session."""
