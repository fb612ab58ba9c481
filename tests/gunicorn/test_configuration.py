"""The configuration of gunicorn: its address, and how a process ends."""

from __future__ import annotations

import runpy
import signal
from collections.abc import Iterator
from queue import SimpleQueue
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from webhooks.app import create_app
from webhooks.config.settings import ROOT, Settings
from webhooks.gunicorn.processes import job_role
from webhooks.gunicorn.sharing_worker import ABSENT, SharingWorker
from webhooks.inbox.databases.known_database import KnownDatabase
from webhooks.services import Services

NO_JOBS = SimpleNamespace(worker_threads=0)
INBOX = SimpleNamespace(events=None)


def configuration() -> dict[str, Any]:
    """Return what gunicorn.conf.py sets in this environment; it knows no child processes, which are those of tests."""
    found = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    found["worker_exit"].__globals__["child_processes"] = list
    return found


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """Return the signals that gunicorn's own handler receives, and restore the handler at the end."""
    received: list[int] = []

    def gunicorns_handler(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = signal.signal(signal.SIGTERM, gunicorns_handler)
    yield received
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    """Call the handler of SIGTERM."""
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    handler(signal.SIGTERM, None)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000"), ("::", "[::]:8000")]
)
def test_address_of_the_server(monkeypatch: pytest.MonkeyPatch, host: str, expected: str) -> None:
    """An IPv6 address is written in brackets."""
    monkeypatch.setenv("HOST", host)
    assert configuration()["bind"] == expected


def test_a_reload_with_fewer_processes_does_not_end_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that end after it had places that the new configuration does not have, or has given to others."""
    services = SimpleNamespace(checked=True)
    server = SimpleNamespace(app=SimpleNamespace(wsgi=lambda: SimpleNamespace(extensions={"webhooks": services})))
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    before, old = configuration(), [SimpleNamespace() for _ in range(14)]
    for worker in old:
        before["pre_fork"](server, worker)
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    after, new = configuration(), [SimpleNamespace() for _ in range(2)]
    for worker in new:
        after["pre_fork"](server, worker)
    for worker in old:
        after["child_exit"](server, worker)
    assert sorted(SharingWorker.connections) == [0, 0, *[ABSENT] * 8]
    assert len(after["places"]) == 8


def test_no_job_is_claimed_after_the_signal(settings: Settings, signals: list[int]) -> None:
    """The process still waits for requests then, and a job that starts now could not end in time."""
    app = create_app(settings.model_copy(update={"worker_threads": 1}))
    services: Services = app.extensions["webhooks"]
    worker = SimpleNamespace(
        wsgi=app,
        alive=True,
        cfg=Config(),
        known_database=KnownDatabase(),
        job_role=job_role(),
        place=0,
        complete=[False],
    )
    gunicorn = configuration()
    gunicorn["post_worker_init"](worker)
    assert services.working()
    terminate()
    assert signals == [signal.SIGTERM]
    assert not services.working()
    gunicorn["worker_exit"](None, worker)


def test_jobs_have_the_time_that_is_left_since_the_signal(signals: list[int]) -> None:
    """A stalled client has used some of it; a second signal does not extend it."""
    graces: list[float] = []
    services = SimpleNamespace(
        settings=NO_JOBS, inbox=INBOX, start_worker=lambda _: None, stop_claiming=lambda: None, stop=graces.append
    )
    worker = SimpleNamespace(
        wsgi=SimpleNamespace(extensions={"webhooks": services}),
        alive=True,
        cfg=Config(),
        known_database=KnownDatabase(),
        job_role=job_role(),
        place=0,
        complete=[False],
    )
    gunicorn = configuration()
    gunicorn["post_worker_init"](worker)
    gunicorn["worker_exit"](None, worker)
    terminate()
    worker.alive = False
    worker.stopped_at -= 12
    terminate()
    gunicorn["worker_exit"](None, worker)
    worker.stopped_at -= 60
    gunicorn["worker_exit"](None, worker)
    assert graces == [pytest.approx(20, abs=1), pytest.approx(8, abs=1), 0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signal_between_fork_and_start_is_not_lost(signals: list[int], number: signal.Signals) -> None:
    """A process that still has the master's handlers only queues it; the process stops when it has its own."""
    before = signal.signal(number, signal.getsignal(signal.SIGTERM))
    services = SimpleNamespace(settings=NO_JOBS, inbox=INBOX, start_worker=lambda _: None, stop_claiming=lambda: None)
    queued: SimpleQueue[int] = SimpleQueue()
    queued.put(signal.SIGCHLD)
    queued.put(number)
    worker = SimpleNamespace(
        wsgi=SimpleNamespace(extensions={"webhooks": services}),
        alive=True,
        cfg=Config(),
        known_database=KnownDatabase(),
        job_role=job_role(),
        place=0,
        complete=[False],
        master_signals=queued,
    )
    try:
        configuration()["post_worker_init"](worker)
    finally:
        if number != signal.SIGTERM:
            signal.signal(number, before)
    assert signals == [number]


def test_requests_leave_time_for_jobs(signals: list[int]) -> None:
    """Waiting for clients and then for jobs ends before the master process kills."""
    services = SimpleNamespace(settings=NO_JOBS, inbox=INBOX, start_worker=lambda _: None)
    worker = SimpleNamespace(
        wsgi=SimpleNamespace(extensions={"webhooks": services}),
        alive=True,
        cfg=Config(),
        known_database=KnownDatabase(),
        job_role=job_role(),
        place=0,
        complete=[False],
    )
    gunicorn = configuration()
    gunicorn["post_worker_init"](worker)
    assert worker.cfg.graceful_timeout < gunicorn["JOB_GRACE_SECONDS"] < gunicorn["graceful_timeout"]
