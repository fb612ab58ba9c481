"""Describe events, jobs and outcomes in words and JSON, for the CLI, the API and the pages."""
