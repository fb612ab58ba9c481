"""Run whole servers on both kinds of database."""

from __future__ import annotations

from tests.support.databases import opened, postgres_server, sqlite_url

__all__ = ["opened", "postgres_server", "sqlite_url"]
