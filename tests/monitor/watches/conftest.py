"""The watch of a site on both kinds of database, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.monitor.watches.watched import Watched
from tests.support.databases import Clock, clock, opened, postgres_server, sqlite_url, url
from webhooks.inbox import Inbox

__all__ = ["clock", "opened", "postgres_server", "sqlite_url", "url"]


@pytest.fixture
def watched(url: str, opened: Callable[..., Inbox], clock: Clock) -> Watched:
    """Return a site and its watch at the beginning of a day."""
    return Watched(opened(url, clock=clock), clock)
