"""Refreshes: those that ran, and those that are expected."""
