"""Torture: servers killed, stopped, starved of disk and cheated about the time, and an account of what came of it."""
