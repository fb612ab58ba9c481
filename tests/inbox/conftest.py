"""Every test of the inbox runs on both databases."""

from tests.support.databases import clock, event, inbox, opened, postgres_server, sqlite_url, url

__all__ = ["clock", "event", "inbox", "opened", "postgres_server", "sqlite_url", "url"]
