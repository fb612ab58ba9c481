"""Test commits whose outcome the worker does not learn because its connection to PostgreSQL is lost."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from bench.postgres import Server
from bench.torture.proxy import CuttingProxy
from tests.support.databases import NOTIFY
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.jobs import Following
from webhooks.worker.worker import Worker

pytestmark = pytest.mark.postgres

# A job that waits for the end of its lease fails the test.
LEASE = 120.0
TIMEOUT = 30.0
# With the end of the text: a transaction begins with READ COMMITTED.
COMMIT, END, START = b"COMMIT\0", b"WITH clock AS", b"UPDATE jobs SET started_at"


@pytest.fixture
def proxy(postgres_server: Server) -> Iterator[CuttingProxy]:
    """Return a proxy in front of PostgreSQL."""
    with CuttingProxy(postgres_server.folder) as proxy:
        yield proxy


@pytest.fixture
def box(postgres_server: Server, proxy: CuttingProxy, opened: Callable[..., Inbox]) -> Inbox:
    """Return an empty inbox behind the proxy."""
    return opened(postgres_server.url().replace(str(postgres_server.folder), str(proxy.folder)))


def outcomes(box: Inbox) -> list[list[str]]:
    """Return the outcomes of the attempts of each job."""
    return [[one.outcome for one in job.attempts_made] for record in box.events.list(limit=50) for job in record.jobs]


def run_all(box: Inbox, events: list[Event], *, after_first: Callable[[], None], threads: int = 1) -> list[int]:
    """Store the events, run all their jobs, and return the ids of those that ran; `after_first` is called in one."""
    ran: list[int] = []

    def run(job: object, _: object) -> None:
        ran.append(job.id)  # type: ignore[attr-defined]
        if len(ran) == 1:
            after_first()

    for one in events:
        box.events.receive(one)
    worker = Worker(box, planner=lambda _: [NOTIFY], run=run, threads=threads, lease=LEASE)
    worker.start()
    try:
        deadline = time.monotonic() + TIMEOUT
        while len(ran) < len(events) or box.counts()["running"] or box.counts()["ready"]:
            assert time.monotonic() < deadline, f"{len(ran)} jobs ran, {box.counts()}"
            time.sleep(0.02)
    finally:
        worker.stop(1.0)
    return ran


@pytest.mark.parametrize("executed", [True, False], ids=["committed", "not committed"])
@pytest.mark.parametrize(
    ("threads", "pattern", "at_once"),
    [(1, END, False), (1, COMMIT, True), (2, END, False), (8, START, True)],
    ids=["end and claim", "plan and claim", "end", "start"],
)
def test_job_of_an_uncertain_commit_runs_once_and_at_once(
    box: Inbox,
    proxy: CuttingProxy,
    event: Callable[..., Event],
    caplog: pytest.LogCaptureFixture,
    *,
    threads: int,
    pattern: bytes,
    at_once: bool,
    executed: bool,
) -> None:
    """No job waits for its lease, none runs twice, and none is reported as taken over by another worker."""

    def cut() -> None:
        proxy.cut_at(pattern, executed=executed)

    events = [event() for _ in range(5)]
    box.counts()
    if at_once:
        cut()
    with caplog.at_level(logging.WARNING):
        ran = run_all(box, events, after_first=(lambda: None) if at_once else cut, threads=threads)
    assert proxy.cuts == 1 or (pattern == START and proxy.cuts == 0)
    assert len(ran) == len(set(ran)) == len(events)
    assert [one for one in outcomes(box) if one not in (["done"], ["released", "done"])] == []
    assert "taken over" not in caplog.text


@pytest.mark.parametrize("executed", [True, False], ids=["committed", "not committed"])
def test_claim_during_an_outage_is_found_afterwards(
    box: Inbox,
    proxy: CuttingProxy,
    event: Callable[..., Event],
    monkeypatch: pytest.MonkeyPatch,
    *,
    executed: bool,
) -> None:
    """A statement that is not repeated may have claimed a job."""
    monkeypatch.setattr("webhooks.inbox.databases.postgres.REPEAT_SECONDS", -1.0)
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    (first,) = box.jobs.claim("me", 1, LEASE)
    proxy.cut_at(END, executed=executed)
    with pytest.raises(StoreUnavailable):
        box.jobs.finish(first, following=Following(lease=LEASE))
    # As the worker does, without the next job.
    box.jobs.finish(first)
    found = box.jobs.uncertain_claims.find("me")
    assert [one.job.attempts for one in found] == [1] * executed
    assert list(box.jobs.uncertain_claims.find("me")) == []
    for one in found:
        box.jobs.finish(one.job)
    for job in box.jobs.claim("me", 1, LEASE):
        box.jobs.finish(job)
    assert outcomes(box) == [["done"], ["done"]]


def test_killed_backend_delays_no_job(
    box: Inbox,
    postgres_server: Server,
    proxy: CuttingProxy,
    event: Callable[..., Event],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """PostgreSQL restarts all its sessions when one of its processes is killed; the jobs go on after that."""

    def kill() -> None:
        with postgres_server.connect("postgres") as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE state = 'idle' AND datname <> 'postgres' LIMIT 1"
            for (pid,) in connection.execute(query).fetchall():
                os.kill(pid, signal.SIGKILL)

    events = [event() for _ in range(5)]
    with caplog.at_level(logging.ERROR):
        ran = run_all(box, events, after_first=lambda: proxy.cut_at(END, executed=True, before=kill))
    assert proxy.cuts == 1
    assert len(ran) == len(set(ran)) == len(events)
    assert [one for one in outcomes(box) if one != ["done"]] == []
    assert "taken over" not in caplog.text


def test_lock_of_a_session_is_held_after_an_uncertain_commit(box: Inbox, proxy: CuttingProxy) -> None:
    """A sign-in does not wait for the end of a lock that it has acquired itself."""
    box.counts()
    proxy.cut_at(COMMIT, executed=True)
    began = time.monotonic()
    with box.sessions.lock("site"):
        assert proxy.cuts == 1
    assert time.monotonic() - began < TIMEOUT
