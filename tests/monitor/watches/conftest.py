"""The watch of a site on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.monitor.watches.watched import Watched
from tests.support.databases import Clock, clock, opened, postgres_server, sqlite_url, url
from webhooks.inbox import Inbox

__all__ = ["clock", "opened", "postgres_server", "sqlite_url", "url"]


@pytest.fixture
def watched(sqlite_url: str, opened: Callable[..., Inbox], clock: Clock) -> Watched:
    """Return a site and its watch at the beginning of a day."""
    return Watched(opened(sqlite_url, clock=clock), clock)


@pytest.fixture
def watched_on_both(url: str, opened: Callable[..., Inbox], clock: Clock) -> Watched:
    """Do the same on SQLite and on PostgreSQL."""
    return Watched(opened(url, clock=clock), clock)
