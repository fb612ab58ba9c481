"""One process of a server runs jobs; another one takes over or helps."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.server import wait_for
from webhooks.config.settings import Settings
from webhooks.gunicorn.job_process import BusyTime, JobProcess, JobRole
from webhooks.services import Services


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
    return sum(thread.name.startswith("job-") and thread.name != "job-process" for thread in threading.enumerate())


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


def test_silent_process_gets_help(role: JobRole, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gives no sign for ten seconds does not keep the others from running jobs."""
    assert role.acquire()
    assert not role.needs_help
    role.report(needs_help=True)
    assert role.needs_help
    role.report(needs_help=False)
    later = time.monotonic() + 10.1
    monkeypatch.setattr("webhooks.gunicorn.job_process.time.monotonic", lambda: later)
    assert role.needs_help


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([0.0, 0.9, 1.8, 2.7], [False, False, False, True]),
        ([0.0, 0.9, 1.8, 2.4, 3.3, 4.2], [False] * 6),
        ([5.0, 5.5, 6.0, 6.5], [False] * 4),
    ],
)
def test_busy_process(used: list[float], expected: list[bool]) -> None:
    """It is busy after three seconds in a row with 80 % of a core; `used` is its processor time each second."""
    busy = BusyTime()
    assert [busy.is_long(float(now), each) for now, each in enumerate(used)] == expected
