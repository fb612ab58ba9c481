"""One process of a server runs jobs; another one takes over or helps."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from tests.support.server import wait_for
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.gunicorn.job_process import BusyTime, JobProcess, JobRole
from webhooks.inbox.databases.postgres import PostgresStore
from webhooks.services import Services
from webhooks.views.server_health import server_checks


@pytest.fixture
def role() -> Iterator[JobRole]:
    """Return a role that no process has."""
    role = JobRole()
    yield role
    role.close()


@pytest.fixture
def holder(role: JobRole) -> Iterator[int]:
    """Return the id of a process that has the role until it is killed; it needs help after SIGUSR1."""
    signals = {signal.SIGUSR1, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    pid = os.fork()
    if pid == 0:
        role.acquire()
        role.wake()
        signal.sigwait(signals)
        role.report(needs_help=True)
        signal.sigwait(signals)
        os._exit(0)
    assert role.await_news(10)
    yield pid
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def job_threads() -> int:
    """Return how many threads of this process run jobs that are not urgent."""
    return sum(thread.name.startswith("job-") for thread in threading.enumerate())


@pytest.mark.parametrize(("number", "threads"), [(signal.SIGKILL, 4), (signal.SIGUSR1, 2)])
def test_process_starts_its_worker_when_it_is_needed(
    settings: Settings, role: JobRole, holder: int, number: signal.Signals, threads: int
) -> None:
    """It has the threads of both processes after the other one has died, and its own to help. Until then it works."""
    services = Services(settings.model_copy(update={"worker_threads": 2}))
    errors: list[Exception] = []
    jobs = JobProcess(role, services, 2, errors.append)
    jobs.start()
    before = services.working(), services.idle(), job_threads()
    os.kill(holder, number)
    try:
        wait_for(lambda: job_threads() == threads, what="the worker")
        assert services.working()
        assert "4 threads" in [check.text for check in server_checks(services, utc_now())]
    finally:
        jobs.stop()
        services.stop()
    assert (before, job_threads(), errors) == ((True, True, 0), 0, [])


def test_event_of_another_process_wakes_the_one_that_runs_jobs(settings: Settings, role: JobRole, holder: int) -> None:
    """A process that stands by passes its news on, and stops at once."""
    services = Services(settings.model_copy(update={"worker_threads": 1}))
    jobs = JobProcess(role, services, 2, lambda _: None)
    jobs.start()
    assert not role.await_news(0)
    services.inbox.news.set()
    assert role.await_news(10)
    assert not services.inbox.news.is_set()
    jobs.stop()
    services.stop()
    assert not role.acquire()
    os.kill(holder, signal.SIGKILL)
    wait_for(role.acquire, what="the role")


def test_process_helps_only_if_that_is_needed_for_long_and_of_use(
    settings: Settings, role: JobRole, holder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after a pause of the whole machine, nor because the inbox is unavailable, which stops every worker."""
    services = Services(settings)
    jobs = JobProcess(role, services, 2, lambda _: None)
    os.kill(holder, signal.SIGUSR1)
    wait_for(lambda: role.needs_help, what="the need")
    assert [jobs.can_help(now) for now in (0.0, 1.9, 2.0)] == [False, False, True]
    monkeypatch.setattr("webhooks.inbox.CHECK_SECONDS", 0.0)
    services.inbox.close()
    jobs = JobProcess(role, services, 2, lambda _: None)
    assert [jobs.can_help(now) for now in (2.1, 5.0, 9.0)] == [False, False, False]
    services.stop()


def test_stopping_process_takes_no_role(settings: Settings, role: JobRole) -> None:
    """A signal may come before it has started; it would keep the role until its requests and jobs have ended."""
    services = Services(settings.model_copy(update={"worker_threads": 1}))
    jobs = JobProcess(role, services, 2, lambda _: None)
    jobs.stop_claiming()
    jobs.start()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if role.acquire() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    jobs.stop()
    services.stop()


@pytest.mark.parametrize(("threads", "processes", "expected"), [(4, 1, 4), (8, 2, 8), (32, 2, 10), (2, 2, 4)])
def test_connections_to_postgres_grow_with_the_threads(threads: int, processes: int, expected: int) -> None:
    """The process that runs jobs has as many as the processes would have whose jobs it runs, if it has the threads."""
    store = PostgresStore(make_url("postgresql+psycopg://user@127.0.0.1:9/none"))
    store.allow_connections(threads, processes)
    assert store._engine.pool.status().startswith(f"Pool size: {expected} ")
    store.close()


def test_silent_process_gets_help(role: JobRole, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gives no sign for three seconds does not keep the others from running jobs."""
    assert role.acquire()
    assert not role.needs_help
    role.report(needs_help=True)
    assert role.needs_help
    role.report(needs_help=False)
    later = time.monotonic() + 3.1
    monkeypatch.setattr("webhooks.gunicorn.job_process.time.monotonic", lambda: later)
    assert role.needs_help


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([0.0, 0.9, 1.8, 2.7], [False, False, True, True]),
        ([0.0, 0.9, 1.4, 2.3, 2.8, 3.7], [False] * 6),
        ([5.0, 5.5, 6.0, 6.5], [False] * 4),
    ],
)
def test_busy_process(used: list[float], expected: list[bool]) -> None:
    """It is busy after two seconds in a row with 80 % of a core; `used` is its processor time each second."""
    busy = BusyTime()
    assert [busy.is_long(float(now), each) for now, each in enumerate(used)] == expected
