"""Read the settings and the sites file."""
