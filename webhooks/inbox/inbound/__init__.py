"""Acts that people report in other services: each is stored once."""
