"""Signing in, and sharing the session between threads, processes and machines."""
