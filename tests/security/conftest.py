"""Share the databases of the other tests."""

from __future__ import annotations

from tests.support.databases import clock, event, inbox, opened, postgres_server, sqlite_url, url

__all__ = ["clock", "event", "inbox", "opened", "postgres_server", "sqlite_url", "url"]
