"""State that the server's processes share."""
