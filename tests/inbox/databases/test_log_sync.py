"""Test that SQLite acknowledges nothing before its log is on disk, also after a sync that has failed."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from bench.torture.flaws import FLAWS
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import log_sync, sqlite

Opened = Callable[..., Inbox]
Events = Callable[..., Event]


@pytest.fixture
def database(sqlite_url: str) -> Path:
    """Return the path of the database."""
    return Path(sqlite_url.removeprefix("sqlite:///"))


class Disk:
    """A disk that remembers up to which event it was synced, and whose syncs can fail."""

    def __init__(self, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database, self._sync = database, log_sync._sync
        self.newest, self.failures = 0, 0
        monkeypatch.setattr(log_sync, "_sync", self.sync)
        # Restored after a test that replaces it by a flaw.
        monkeypatch.setattr(log_sync.LogSync, "sync", log_sync.LogSync.sync)

    def sync(self, descriptor: int) -> None:
        """Sync what is committed by now, or fail."""
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        with closing(sqlite3.connect(self._database)) as reader:
            ((newest,),) = reader.execute("SELECT max(id) FROM events")
        self._sync(descriptor)
        self.newest = max(self.newest, newest or 0)

    def early(self, boxes: list[Inbox], events: list[Event]) -> list[int]:
        """Store the events at the same time, and return the ids of those acknowledged before they were synced."""

        def receive(number: int) -> int | None:
            event_id = boxes[number % len(boxes)].events.receive(events[number]).id
            return event_id if event_id > self.newest else None

        with ThreadPoolExecutor(8) as pool:
            return [event_id for event_id in pool.map(receive, range(len(events))) if event_id is not None]


def events_without_log(database: Path) -> int:
    """Return how many events are in the database itself."""
    copy = shutil.copyfile(database, database.with_name("copy"))
    with closing(sqlite3.connect(copy)) as reader:
        ((number,),) = reader.execute("SELECT count(*) FROM events")
    return int(number)


@pytest.fixture
def disk(database: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Return the disk of the database."""
    return Disk(database, monkeypatch)


def test_acknowledged_events_are_synced(sqlite_url: str, opened: Opened, event: Events, disk: Disk) -> None:
    """No event is acknowledged before a sync that began after its commit; an inbox that does so is found."""
    boxes = [opened(sqlite_url), opened(sqlite_url)]
    assert disk.early(boxes, [event() for _ in range(60)]) == []
    assert disk.newest == 60
    FLAWS["acknowledges before the sync"][0](boxes[0])
    assert disk.early(boxes, [event() for _ in range(20)]) != []


def test_all_other_writes_are_synced(sqlite_url: str, opened: Opened, event: Events, disk: Disk) -> None:
    """Any write that has returned, and all that it has read, is on disk."""
    box, other = opened(sqlite_url), opened(sqlite_url)
    stored = box.events.receive(event())
    disk.failures = 1
    with pytest.raises(StoreUnavailable):
        box.events.receive(unsynced := event())
    assert disk.newest == stored.id
    # It changes nothing, but what it says depends on the event.
    assert other.store.write(lambda connection: connection.execute(text("SELECT max(id) FROM events")).scalar()) == 2
    assert disk.newest == 2
    assert box.events.receive(unsynced).duplicate


def test_failed_sync_acknowledges_nothing(
    sqlite_url: str, opened: Opened, event: Events, disk: Disk, database: Path
) -> None:
    """After a failed sync, a repeated event is acknowledged only when it is in the synced database itself."""
    box = opened(sqlite_url)
    box.events.receive(event())
    refused, disk.failures = event(), 1
    with pytest.raises(StoreUnavailable, match=r"could not be written to disk: .*Input/output error"):
        box.events.receive(refused)
    assert database.with_name(database.name + ".lock").stat().st_size > 0
    # The system may say that it has written what it has lost, so the log is of no use.
    receipt = box.events.receive(refused)
    assert receipt.duplicate
    assert events_without_log(database) == 2
    assert database.with_name(database.name + ".lock").stat().st_size == 0
    assert not box.events.receive(event()).duplicate


def test_failed_sync_concerns_all_processes(
    sqlite_url: str, opened: Opened, event: Events, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process acknowledges anything until the log is repaired, for which no transaction may read it."""
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)
    box, other = opened(sqlite_url), opened(sqlite_url)
    other.events.receive(event())
    refused, disk.failures = event(), 1
    with pytest.raises(StoreUnavailable):
        box.events.receive(refused)
    with box.store._readers.connect() as reader:  # type: ignore[attr-defined]
        reader.exec_driver_sql("BEGIN")
        reader.execute(text("SELECT count(*) FROM events")).all()
        for one in (other, box):
            # The first time, the other one may find it out after its own sync.
            with pytest.raises(StoreUnavailable):
                one.events.receive(refused)
            with pytest.raises(StoreUnavailable, match="in use"):
                one.events.receive(refused)
    assert other.events.receive(refused).duplicate
    assert box.events.receive(refused).duplicate


def test_failed_sync_on_a_full_disk_is_known_to_a_new_process(
    database: Path, opened: Opened, event: Events, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the lock file cannot be written, a process that opens the log later repairs it first."""
    box, other = opened(f"sqlite:///{database}"), opened(f"sqlite:///{database}")
    other.events.receive(event())

    def write(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused, disk.failures = event(), 1
    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        with pytest.raises(StoreUnavailable):
            box.events.receive(refused)
    assert opened(f"sqlite:///{database}").events.receive(refused).duplicate
    assert events_without_log(database) == 2


def test_failed_sync_is_known_after_a_restart(
    sqlite_url: str, opened: Opened, event: Events, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that starts after a failed sync repairs the log before its first write."""
    box = opened(sqlite_url)
    box.events.receive(event())
    disk.failures = 1
    with pytest.raises(StoreUnavailable):
        box.events.receive(event())
    box.close()
    assert not opened(sqlite_url).events.receive(event()).duplicate
    assert "Write-ahead log repaired after a failed sync" in caplog.text
