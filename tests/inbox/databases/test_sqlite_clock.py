"""Test that leases in a SQLite file do not depend on the machine's wall clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event
from webhooks.inbox import Inbox, Migrate
from webhooks.inbox.databases import sqlite_clock
from webhooks.inbox.databases.sqlite import SqliteStore
from webhooks.inbox.migrate import upgrade

HOUR = 3600.0


@contextmanager
def process(folder: Path, wall: Clock) -> Iterator[Inbox]:
    """Open the inbox as a process on a machine with that wall clock does."""
    store = SqliteStore(make_url(f"sqlite:///{folder / 'inbox.sqlite3'}"), wall=wall)
    store.prepare = lambda: upgrade(store)
    store.ensure_ready()
    inbox = Inbox(store)
    yield inbox
    inbox.close()


@pytest.fixture
def box(tmp_path: Path, clock: Clock) -> Iterator[Inbox]:
    """Return an inbox on a machine whose wall clock is `clock`."""
    with process(tmp_path, clock) as inbox:
        yield inbox


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_leases_and_due_times_survive_a_jump_of_the_wall_clock(
    box: Inbox, clock: Clock, event: Callable[..., Event], jump: float
) -> None:
    """After a jump of an hour a running job still belongs to its worker, and a due job is still due."""
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


def test_stored_times_follow_the_wall_clock(box: Inbox, clock: Clock, event: Callable[..., Event]) -> None:
    """The times that people read are those of the wall clock, also after it was set."""
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


def test_all_processes_share_one_clock(box: Inbox, tmp_path: Path, clock: Clock) -> None:
    """A process that starts after the wall clock was set uses the same time as those before it."""
    clock.forward(-HOUR)
    with process(tmp_path, clock) as other:
        first, second = (one.store.write(one.store.now) for one in (box, other))
    assert abs(first - second) < 5


def test_reboot_makes_the_jobs_of_dead_workers_due(
    box: Inbox, tmp_path: Path, clock: Clock, event: Callable[..., Event]
) -> None:
    """After a reboot with a wall clock that is wrong by years, jobs are due at once or soon."""
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    (running, postponed) = box.jobs.claim("dead", 2, 30)
    box.jobs.postpone(postponed, 10 * HOUR, "later")
    box.store.write(lambda connection: connection.execute(text("UPDATE clock SET boot = 'previous'")))
    box.close()
    clock.seconds = 1000.0
    with process(tmp_path, clock) as rebooted:
        assert [job.id for job in rebooted.jobs.claim("new", 5, 30)] == [running.id]
        due_at = rebooted.events.list()[0].jobs[0].job.due_at.timestamp()
        assert due_at - rebooted.store.write(rebooted.store.now) <= sqlite_clock.MAX_DELAY_SECONDS


def test_outage_ends_after_a_reboot(box: Inbox, tmp_path: Path, clock: Clock, event: Callable[..., Event]) -> None:
    """An outage that began in the future by the new wall clock has a trial at once, and ends at the next response."""
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    for job in box.jobs.claim("me", 2, 30):
        box.outages.postpone("slack", job, 7200, "unavailable", free=False)
    box.store.write(lambda connection: connection.execute(text("UPDATE clock SET boot = 'previous'")))
    box.close()
    clock.seconds = 1000.0
    with process(tmp_path, clock) as rebooted:
        for _ in range(2):
            assert rebooted.outages.wake() == 1
            assert len(rebooted.jobs.claim("new", 5, 30)) == 1
            rebooted.outages.responded("slack")


def test_command_leaves_leases_of_another_boot_alone(
    tmp_path: Path, event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that sees another boot id than the server, as in a sandbox, resets neither leases nor locks."""
    url = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    server = Inbox.open(url)
    server.events.receive(event())
    server.events.plan(lambda _: [NOTIFY])
    (running,) = server.jobs.claim("server", 1, 60)
    assert server.locks.acquire("monitor", "server", 60)
    monkeypatch.setattr(sqlite_clock, "boot_id", lambda: "another boot")
    command = Inbox.open(url, migrate=Migrate.NEVER)
    assert len(command.events.list()) == 1
    command.close()
    assert not server.locks.acquire("monitor", "other", 60)
    server.jobs.finish(running)
    server.close()
    restarted = Inbox.open(url)
    assert restarted.locks.acquire("monitor", "other", 60)
    restarted.close()
