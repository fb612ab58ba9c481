"""The JSON API at /api/v1: the same reads and acts as the pages and the commands."""
