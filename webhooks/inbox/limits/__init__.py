"""Limits that hold for all processes and machines together."""
