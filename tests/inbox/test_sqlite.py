"""Disk full, a stuck writer, a stopped server: an honest refusal in time, and recovery without help."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.support.databases import refusal_seconds
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import group_commit
from webhooks.inbox.databases.store import ACK_SECONDS

ROOT = Path(__file__).parents[2]
FORK = """
import os, sys
from tests.support.databases import some_event
from webhooks.inbox import Inbox
inbox = Inbox.open(sys.argv[1])
inbox.events.receive(some_event(0))
inbox.events.list()
children = []
for number in (1, 2, 3):
    pid = os.fork()
    if pid == 0:
        kept = [inbox.events.receive(some_event(10 * number + n)).id for n in range(10)]
        found = inbox.events.list(limit=100)
        os._exit(0 if set(kept) <= {record.event.id for record in found} else 1)
    children.append(pid)
for n in range(10):
    inbox.events.receive(some_event(100 + n))
    inbox.events.list()
statuses = [os.waitpid(pid, 0)[1] for pid in children]
ids = {record.event.id for record in inbox.events.list(limit=100)}
inbox.close()
sys.exit(0 if statuses == [0, 0, 0] and len(ids) == 41 else 1)
"""


@pytest.fixture
def box(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """An inbox in a SQLite file."""
    return opened(sqlite_url)


def _fill(box: Inbox, event: Callable[..., Event]) -> None:
    for _ in range(100):
        box.events.receive(event(padding="x" * 5000))


def test_disk_full_refuses_and_recovers(
    box: Inbox, event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk an event is refused and none that was kept is lost; with room again it goes on."""
    box.events.receive(event())
    store: Any = box.store
    full = threading.Event()

    def connect() -> Connection:
        connection: Connection = store._writer.connect()
        if full.is_set():
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        return connection

    monkeypatch.setattr(store._commit, "_connect", connect)
    store._commit.discard()
    full.set()
    with pytest.raises(StoreUnavailable, match="full"):
        _fill(box, event)
    kept = len(box.events.list(limit=1000))
    full.clear()
    box.events.receive(event())
    assert len(box.events.list(limit=1000)) == kept + 1


def test_mistake_leaves_neighbours_unharmed(box: Inbox, event: Callable[..., Event]) -> None:
    """Operations that share a transaction with one that fails are committed all the same."""
    hold, store = threading.Event(), box.store
    box.events.receive(event())

    def wait(_: Connection) -> None:
        hold.wait(5)

    def mistake(connection: Connection) -> None:
        connection.execute(text("INSERT INTO jobs (id) VALUES (1)"))

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(store.write, wait)
        time.sleep(0.05)
        good = [pool.submit(box.events.receive, event()) for _ in range(3)]
        bad = [pool.submit(store.write, mistake), pool.submit(store.write, lambda _: 1 // 0)]
        good += [pool.submit(box.events.receive, event()) for _ in range(2)]
        time.sleep(0.05)
        hold.set()
        first.result()
        assert len({receipt.result().id for receipt in good}) == 5
        with pytest.raises(Exception, match="NOT NULL"):
            bad[0].result()
        with pytest.raises(ZeroDivisionError):
            bad[1].result()
    assert len(box.events.list()) == 6


def test_writer_stuck_refuses_in_time(box: Inbox, event: Callable[..., Event], sqlite_url: str) -> None:
    """Another process holds the lock and sleeps: refused within the time Tableau gives us, kept once it wakes."""
    box.events.receive(event())
    lock_file = Path(sqlite_url.removeprefix("sqlite:///") + ".lock")
    with lock_file.open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        refused = event()
        assert refusal_seconds(lambda: box.events.receive(refused)) < ACK_SECONDS + 0.5
        # The next one may already be in the queue when the lock comes free.
        fcntl.flock(lock.fileno(), fcntl.LOCK_UN)
    assert box.events.receive(refused).id
    assert len(box.events.list()) == 2


def test_strange_writer_refuses_in_time(box: Inbox, event: Callable[..., Event], sqlite_url: str) -> None:
    """A shell that left a transaction open on the file blocks SQLite itself: refused in time, then kept."""
    box.events.receive(event())
    shell = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    assert refusal_seconds(lambda: box.events.receive(event())) < ACK_SECONDS + 0.5
    shell.execute("ROLLBACK")
    shell.close()
    assert box.events.receive(event()).id


def test_queue_full_refuses_at_once(box: Inbox, event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many wait already, the next is refused without waiting."""
    monkeypatch.setattr(group_commit, "CAPACITY", 0)
    assert refusal_seconds(lambda: box.events.receive(event())) < 0.1


def test_closed_inbox_refuses_at_once(box: Inbox, event: Callable[..., Event]) -> None:
    """A request that comes while the server stops is refused, so Tableau sends it again."""
    box.events.receive(event())
    box.close()
    assert refusal_seconds(lambda: box.events.receive(event())) < 0.1


def test_fork_leaves_the_parent_alone(url: str) -> None:
    """A server that was asked something before it forked serves in each of its processes."""
    assert subprocess.run([sys.executable, "-c", FORK, url], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_trouble_is_logged_once(
    box: Inbox, event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred refused events make one line, and the end of the trouble another."""
    with monkeypatch.context() as patched:
        patched.setattr(group_commit, "CAPACITY", 0)
        for _ in range(100):
            refusal_seconds(lambda: box.events.receive(event()))
    with caplog.at_level(logging.WARNING):
        box.events.receive(event())
        box.events.receive(event())
    lines = [record.message for record in caplog.records if "store" in record.message]
    assert len(lines) == 2
    assert "Cannot store events" in lines[0]
    assert "can be stored again" in lines[1]
