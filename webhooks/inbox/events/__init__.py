"""Received events: insert, find, replay."""
