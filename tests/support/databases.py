"""Real databases for tests: a SQLite file each, and one private PostgreSQL for each test process."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.postgres import Server, binaries
from webhooks.errors import StoreUnavailable
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.job import NewJob

LUID = "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"
BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
NOTIFY = NewJob("R/notify/slack", "notify", rule="R", params={"to": "slack"})


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One PostgreSQL for all tests of this process."""
    if binaries() is None:
        if os.environ.get("REQUIRE_ALL"):
            pytest.fail("PostgreSQL's server is not installed")
        pytest.skip("PostgreSQL's server is not installed")
    with Server(fsync="off") as server:
        yield server


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The DATABASE_URL of a database that nobody has used, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    return str(request.getfixturevalue("postgres_server").url())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The DATABASE_URL of a SQLite file that nobody has used."""
    return f"sqlite:///{tmp_path / 'inbox.sqlite3'}"


@pytest.fixture
def opened() -> Iterator[Callable[..., Inbox]]:
    """Opens inboxes and closes them in the end."""
    boxes: list[Inbox] = []

    def open_one(url: str, **options: Any) -> Inbox:
        boxes.append(Inbox.open(url, **options))
        return boxes[-1]

    yield open_one
    for box in boxes:
        box.close()


@pytest.fixture
def inbox(url: str, opened: Callable[..., Inbox]) -> Inbox:
    """An empty inbox on each kind of database."""
    return opened(url)


@pytest.fixture
def event() -> Callable[..., Event]:
    """Makes events, each another one unless told what it is."""
    numbers = itertools.count(1)

    def make(event_type: str = "WorkbookCreated", **fields: object) -> Event:
        return some_event(next(numbers), event_type, **fields)

    return make


def some_event(number: int, event_type: str = "WorkbookCreated", **fields: object) -> Event:
    """The event of that number."""
    payload = {
        "event_type": event_type,
        "resource": "WORKBOOK",
        "resource_name": f"Sales {number}",
        "resource_luid": LUID,
        "site_luid": "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6",
        "created_at": f"2026-01-31T09:{number // 60:02}:{number % 60:02}Z",
        **fields,
    }
    made = parse(json.dumps(payload).encode())
    assert made
    return made


def refusal_seconds(refused: Callable[[], object]) -> float:
    """Return how long it takes until the inbox raises StoreUnavailable."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        refused()
    return time.monotonic() - began


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def forward(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until it is moved."""
    return Clock()
