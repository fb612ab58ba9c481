"""Whole servers, on both databases."""

from tests.support.databases import opened, postgres_server, sqlite_url

__all__ = ["opened", "postgres_server", "sqlite_url"]
