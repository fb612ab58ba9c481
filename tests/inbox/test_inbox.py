"""Test opening, closing and forking, and what is logged while events cannot be stored."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import IN_TIME, refusal_seconds
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import write_queue

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
        stored = [inbox.events.receive(some_event(10 * number + n)).id for n in range(10)]
        found = inbox.events.list(limit=100)
        os._exit(0 if set(stored) <= {record.event.id for record in found} else 1)
    children.append(pid)
for n in range(10):
    inbox.events.receive(some_event(100 + n))
    inbox.events.list()
statuses = [os.waitpid(pid, 0)[1] for pid in children]
ids = {record.event.id for record in inbox.events.list(limit=100)}
inbox.close()
sys.exit(0 if statuses == [0, 0, 0] and len(ids) == 41 else 1)
"""


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_unsupported_database_is_refused(url: str) -> None:
    """A database in memory, or of another kind, is refused with the name of the variable."""
    with pytest.raises(RuntimeError, match="DATABASE_URL"):
        Inbox.open(url)


def test_missing_folder_is_used_once_it_exists(tmp_path: Path, event: Callable[..., Event]) -> None:
    """A server may start before its disk is mounted: events are refused until then, and stored afterwards."""
    blocker = tmp_path / "data"
    blocker.write_text("a file in place of the folder")
    inbox = Inbox.open(f"sqlite:///{blocker / 'inbox.sqlite3'}")
    with pytest.raises(StoreUnavailable):
        inbox.events.receive(event())
    blocker.unlink()
    assert not inbox.events.receive(event()).duplicate
    inbox.close()


@pytest.mark.usefixtures("patient")
def test_closed_inbox_refuses_events_at_once(inbox: Inbox, event: Callable[..., Event]) -> None:
    """An event that arrives while the server stops is refused, so that Tableau sends it again."""
    inbox.events.receive(event())
    inbox.close()
    assert refusal_seconds(lambda: inbox.events.receive(event())) < IN_TIME


def test_inbox_works_in_forked_processes(url: str) -> None:
    """An inbox that was used before a fork works in the parent and in each child."""
    assert subprocess.run([sys.executable, "-c", FORK, url], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_refused_events_are_logged_once(
    sqlite_url: str,
    opened: Callable[..., Inbox],
    event: Callable[..., Event],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hundred refused events are one line in the log, and the first one stored afterwards is another."""
    inbox = opened(sqlite_url)
    with monkeypatch.context() as patched:
        patched.setattr(write_queue, "CAPACITY", 0)
        for _ in range(100):
            refusal_seconds(lambda: inbox.events.receive(event()))
    with caplog.at_level(logging.WARNING):
        inbox.events.receive(event())
        inbox.events.receive(event())
    assert [record.message for record in caplog.records] == [
        "Cannot store events, responding 503: 0 writes are already waiting",
        "Events can be stored again",
    ]
