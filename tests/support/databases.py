"""Real databases for tests: a SQLite file for each test, and a private PostgreSQL for each test process."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bench.postgres import Server, binaries
from tests.deploy.tools import missing
from tests.support.memory import memory
from webhooks.errors import StoreUnavailable
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.inbox.databases.store import WRITE_SECONDS
from webhooks.job import NewJob

LUID = "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"
BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
# Seconds that a loaded machine may need for what is refused at once; other writes wait for WRITE_SECONDS.
IN_TIME = WRITE_SECONDS / 2
NOTIFY = NewJob("R/notify/slack", "notify", rule="R", params={"to": "slack"})


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Start one PostgreSQL server for all tests of this process."""
    if binaries() is None:
        missing("PostgreSQL is not installed")
    with Server(parent=memory(), fsync="off") as server:
        yield server


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the DATABASE_URL of an empty database; the test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    server: Server = request.getfixturevalue("postgres_server")
    server.drop_unused()
    return server.url()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the DATABASE_URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'inbox.sqlite3'}"


@pytest.fixture
def opened() -> Iterator[Callable[..., Inbox]]:
    """Open inboxes, and close them after the test."""
    boxes: list[Inbox] = []

    def open_one(url: str, **options: Any) -> Inbox:
        boxes.append(Inbox.open(url, **options))
        return boxes[-1]

    yield open_one
    for box in boxes:
        box.close()


@pytest.fixture
def inbox(url: str, opened: Callable[..., Inbox]) -> Inbox:
    """Return an empty inbox; the test runs once for each kind of database."""
    return opened(url)


@pytest.fixture
def event() -> Callable[..., Event]:
    """Create events that differ from each other, unless the test gives their fields."""
    numbers = itertools.count(1)

    def create(event_type: str = "WorkbookCreated", **fields: object) -> Event:
        return some_event(next(numbers), event_type, **fields)

    return create


def some_event(number: int, event_type: str = "WorkbookCreated", **fields: object) -> Event:
    """Return the event with that number."""
    payload = {
        "event_type": event_type,
        "resource": "WORKBOOK",
        "resource_name": f"Sales {number}",
        "resource_luid": LUID,
        "site_luid": "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6",
        "created_at": f"2026-01-31T09:{number // 60:02}:{number % 60:02}Z",
        **fields,
    }
    parsed = parse(json.dumps(payload).encode())
    assert parsed
    return parsed


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let events wait for a minute, so that what is refused at once is refused before IN_TIME."""
    # All are imported before the first is changed, or they would keep its value after the test.
    for module in [import_module(f"webhooks.inbox.databases.{name}") for name in ("store", "sqlite", "postgres")]:
        monkeypatch.setattr(module, "ACK_SECONDS", 60.0)


def refusal_seconds(refused: Callable[[], object]) -> float:
    """Return how long it takes until the inbox raises StoreUnavailable."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        refused()
    return time.monotonic() - began


class Clock:
    """A clock that only moves with `forward`, in seconds since 1970."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def forward(self, seconds: float) -> None:
        """Move the clock."""
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    """Return a clock that only moves with `forward`."""
    return Clock()
