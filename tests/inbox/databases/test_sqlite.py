"""Test SQLite with a full disk or a stuck writer: events are refused in time, none is lost, then it goes on."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.support.databases import IN_TIME, refusal_seconds
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import write_queue
from webhooks.inbox.databases.store import ACK_SECONDS


@pytest.fixture
def box(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """Return an inbox in a SQLite file."""
    return opened(sqlite_url)


def test_full_disk_refuses_events_and_recovers(
    box: Inbox, event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk an event is refused and no stored one is lost; with free space it goes on."""
    box.events.receive(event())
    store: Any = box.store
    full = threading.Event()

    def connect() -> Connection:
        connection: Connection = store._writer.connect()
        if full.is_set():
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        return connection

    def fill() -> None:
        for _ in range(100):
            box.events.receive(event(padding="x" * 5000))

    monkeypatch.setattr(store._commit, "_connect", connect)
    store._commit.discard()
    full.set()
    with pytest.raises(StoreUnavailable, match="full"):
        fill()
    stored = len(box.events.list(limit=1000))
    full.clear()
    box.events.receive(event())
    assert len(box.events.list(limit=1000)) == stored + 1


def test_stuck_writer_refuses_events_in_time(box: Inbox, event: Callable[..., Event], sqlite_url: str) -> None:
    """While another process holds the lock, an event is refused within Tableau's timeout, and stored afterwards."""
    box.events.receive(event())
    lock_file = Path(sqlite_url.removeprefix("sqlite:///") + ".lock")
    with lock_file.open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        refused = event()
        # Tableau gives up after 3 s.
        assert ACK_SECONDS < 3
        assert refusal_seconds(lambda: box.events.receive(refused)) < IN_TIME
        # The next one may already be in the queue when the lock is released.
        fcntl.flock(lock.fileno(), fcntl.LOCK_UN)
    assert box.events.receive(refused).id
    assert len(box.events.list()) == 2


def test_open_transaction_of_a_shell_refuses_events_in_time(
    box: Inbox, event: Callable[..., Event], sqlite_url: str
) -> None:
    """A shell that left a transaction open blocks SQLite itself: events are refused in time, and stored afterwards."""
    box.events.receive(event())
    shell = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    assert refusal_seconds(lambda: box.events.receive(event())) < IN_TIME
    shell.execute("ROLLBACK")
    shell.close()
    assert box.events.receive(event()).id


@pytest.mark.usefixtures("patient")
def test_events_wait_without_a_thread_until_the_database_is_opened(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another program has locked the database since before the server opened it, the main thread goes on."""
    opened(sqlite_url).close()
    monkeypatch.setattr("webhooks.inbox.databases.sqlite.BUSY_MILLISECONDS", 0)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None) as shell:
        shell.execute("PRAGMA locking_mode=EXCLUSIVE")
        shell.execute("BEGIN EXCLUSIVE")
        box = opened(sqlite_url)
        monkeypatch.setattr("webhooks.inbox.databases.sqlite.BUSY_MILLISECONDS", 1000 * IN_TIME)
        began = time.monotonic()
        pending = [box.events.begin(event()) for _ in range(20)]
        assert time.monotonic() - began < IN_TIME
    shell.close()
    assert [one.wait().id for one in pending] == list(range(1, 21))


@pytest.mark.usefixtures("patient")
def test_only_so_many_bytes_wait(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are refused at once; an event whose sender was refused makes room, and the others are stored."""
    monkeypatch.setattr(write_queue, "MAX_BYTES", 100_000)
    box = opened(sqlite_url)
    box.events.receive(event())
    with Path(sqlite_url.removeprefix("sqlite:///") + ".lock").open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        pending = [box.events.begin(event(padding="x" * 40_000)) for _ in range(3)]
        with pytest.raises(StoreUnavailable, match="already waiting"):
            pending[2].outcome()
        with pytest.raises(StoreUnavailable, match="did not commit"):
            pending[0].outcome()
        pending[2] = box.events.begin(event(padding="x" * 40_000))
    assert [one.wait().id for one in pending[1:]] == [2, 3]


@pytest.mark.usefixtures("patient")
def test_full_queue_refuses_events_at_once(
    box: Inbox, event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write is refused at once if too many others are waiting."""
    monkeypatch.setattr(write_queue, "CAPACITY", 0)
    assert refusal_seconds(lambda: box.events.receive(event())) < IN_TIME
