"""Leases in a SQLite file do not care what somebody does to the machine's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import sqlite_clock
from webhooks.inbox.databases.sqlite import SqliteStore
from webhooks.inbox.migrate import upgrade

HOUR = 3600.0


@pytest.fixture
def box(tmp_path: Path, clock: Clock) -> Iterator[Inbox]:
    """An inbox on a machine whose clock of the wall is ours to set."""
    yield from _opened(tmp_path, clock)


def _opened(folder: Path, wall: Clock) -> Iterator[Inbox]:
    store = SqliteStore(make_url(f"sqlite:///{folder / 'inbox.sqlite3'}"), wall=wall)
    store.prepare = lambda: upgrade(store)
    store.ensure_ready()
    inbox = Inbox(store)
    yield inbox
    inbox.close()


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_clock_set_keeps_leases_and_due_times(
    box: Inbox, clock: Clock, event: Callable[..., Event], jump: float
) -> None:
    """After a jump of an hour, back or forth, a running job is still its worker's and what is due is still due."""
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    (running,) = box.jobs.claim("me", 1, 30)
    clock.forward(jump)
    (ready,) = box.jobs.claim("other", 5, 30)
    assert ready.id != running.id
    box.jobs.finish(running)
    box.jobs.postpone(ready, 0, "again")
    assert len(box.jobs.claim("other", 5, 30)) == 1


def test_clock_set_shows_in_what_people_read(box: Inbox, clock: Clock, event: Callable[..., Event]) -> None:
    """When something happened is told by the clock that people know."""
    clock.forward(-HOUR)
    box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    (job,) = box.jobs.claim("me", 1, 30)
    box.jobs.finish(job)
    (record,) = box.events.list()
    now = datetime.fromtimestamp(clock(), UTC)
    assert record.event.received_at == now
    times = [record.jobs[0].job.created_at, record.jobs[0].job.finished_at, record.jobs[0].attempts_made[0].started_at]
    assert [abs((time - now).total_seconds()) < 5 for time in times if time] == [True, True, True]


def test_clock_is_one_for_all_processes(box: Inbox, tmp_path: Path, clock: Clock) -> None:
    """A process that starts after the clock was set goes by the same time as those before it."""
    clock.forward(-HOUR)
    for other in _opened(tmp_path, clock):
        first, second = (one.store.write(one.store.now) for one in (box, other))
        assert abs(first - second) < 5


def test_start_of_the_machine_frees_what_its_workers_held(
    box: Inbox, tmp_path: Path, clock: Clock, event: Callable[..., Event]
) -> None:
    """After the machine started anew, with a clock that is wrong by years, its jobs are due at once."""
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    (running, postponed) = box.jobs.claim("gone", 2, 30)
    box.jobs.postpone(postponed, 10 * HOUR, "later")
    box.close()
    clock.seconds = 1000.0
    for fresh in _opened_after_boot(tmp_path, clock):
        assert [job.id for job in fresh.jobs.claim("new", 5, 30)] == [running.id]
        due_in = fresh.events.list()[0].jobs[0].job.due_at.timestamp() - fresh.store.write(fresh.store.now)
        assert due_in <= sqlite_clock.MAX_DELAY_SECONDS


def _opened_after_boot(folder: Path, wall: Clock) -> Iterator[Inbox]:
    for inbox in _opened(folder, wall):
        inbox.store.write(lambda connection: connection.execute(text("UPDATE clock SET boot = 'before'")))
        inbox.close()
    yield from _opened(folder, wall)
