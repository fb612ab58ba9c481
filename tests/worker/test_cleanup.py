"""Test that every worker deletes expired events."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.databases import some_event
from tests.support.server import wait_for
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.worker.cleanup import delete_expired, delete_expired_runs, run_cleanup

DAY = 86400.0


@pytest.fixture
def filled(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """Return an inbox with five expired events and a new one."""
    old = opened(sqlite_url, clock=lambda: time.time() - 100 * DAY)
    for number in range(5):
        old.events.receive(some_event(number))
    old.events.plan(lambda _: [])
    new = opened(sqlite_url)
    new.events.receive(some_event(6))
    return new


def clean_until_one_is_left(inbox: Inbox) -> None:
    """Run the cleanup in a thread until one event is left, and check that the thread ends at once then."""
    stopping = threading.Event()
    thread = threading.Thread(target=run_cleanup, args=(inbox, 90, stopping))
    thread.start()
    try:
        wait_for(lambda: len(inbox.events.list()) == 1, what="the deletion of expired events")
    finally:
        stopping.set()
        thread.join(60)
    assert not thread.is_alive()


def test_expired_events_are_deleted_by_every_worker(filled: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cleanup starts by itself, and ends at once when the worker stops."""
    monkeypatch.setattr("webhooks.worker.cleanup.FIRST_CLEANUP", 0.05)
    clean_until_one_is_left(filled)


def test_zero_days_keep_all_events(filled: Inbox) -> None:
    """RETENTION_DAYS=0 keeps events forever."""
    assert delete_expired(filled, 0) == 0
    assert len(filled.events.list()) == 6


def test_cleanup_goes_on_after_an_error(
    filled: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the inbox is unavailable cleanup is postponed, and the thread does not end."""
    monkeypatch.setattr("webhooks.worker.cleanup.FIRST_CLEANUP", 0.01)
    monkeypatch.setattr("webhooks.worker.cleanup.CLEANUP_INTERVAL", 0.01)
    errors: list[Exception] = [StoreUnavailable("down"), ZeroDivisionError()]
    delete_before = filled.retention.delete_before

    def fail_twice(before: float, *, stopping: Callable[[], bool]) -> int:
        if errors:
            raise errors.pop(0)
        return delete_before(before, stopping=stopping)

    monkeypatch.setattr(filled.retention, "delete_before", fail_twice)
    with caplog.at_level(logging.WARNING):
        clean_until_one_is_left(filled)
    assert [record.message for record in caplog.records] == [
        "Cleanup postponed, inbox unavailable: down",
        "Cleanup failed",
    ]


@pytest.fixture
def with_runs(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """Return an inbox with an incident that closed 500 days ago, a silence that ended then, and a run of today."""
    for days, event_type in (
        (500, "WorkbookRefreshFailed"),
        (499.9, "WorkbookRefreshSucceeded"),
        (0, "WorkbookRefreshSucceeded"),
    ):
        now = utc_now() - timedelta(days=days)
        box = opened(sqlite_url, clock=now.timestamp)
        box.events.receive(some_event(int(days), event_type, created_at=f"{now:%Y-%m-%dT%H:%M:%SZ}"))
        box.events.plan(lambda _: [])
    then = utc_now() - timedelta(days=500)
    box.silences.add(matchers={"name": ["*"]}, start=then, end=then + timedelta(hours=1), by="Ann", reason="Move")
    return box


def left(inbox: Inbox) -> tuple[int, int, int]:
    """Return the numbers of runs, incidents and silences."""
    return (
        len(inbox.runs.list()),
        len(inbox.incidents.list()),
        len(inbox.silences.list(utc_now() - timedelta(days=600))),
    )


def test_runs_have_a_retention_of_their_own(with_runs: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker deletes runs, closed incidents and past silences after RUN_RETENTION_DAYS."""
    monkeypatch.setattr("webhooks.worker.cleanup.FIRST_CLEANUP", 0.05)
    assert left(with_runs) == (3, 1, 1)
    stopping = threading.Event()
    thread = threading.Thread(target=run_cleanup, args=(with_runs, 0, stopping, 400))
    thread.start()
    try:
        wait_for(lambda: left(with_runs) == (1, 0, 0), what="the deletion of expired runs")
    finally:
        stopping.set()
        thread.join(2)


def test_zero_days_keep_all_runs(with_runs: Inbox) -> None:
    """RUN_RETENTION_DAYS=0 keeps runs, incidents and silences forever."""
    assert delete_expired_runs(with_runs, 0) == 0
    assert left(with_runs) == (3, 1, 1)
