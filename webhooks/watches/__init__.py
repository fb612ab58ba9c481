"""Watches: when a refresh is expected, until when it has to come, and how long it may run. Pure."""
