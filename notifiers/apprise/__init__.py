"""Apprise: Teams, mail and about a hundred other services."""
