"""How gunicorn serves: where it listens, and how it ends."""

from __future__ import annotations

import runpy
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from webhooks.app import create_app
from webhooks.config.settings import ROOT, Settings
from webhooks.services import Services, shared


def configuration() -> dict[str, Any]:
    """What gunicorn.conf.py says in this environment."""
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """The signals that gunicorn's own handler was told of; ours is taken away at the end."""
    seen: list[int] = []

    def gunicorns(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGTERM, gunicorns)
    yield seen
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    handler(signal.SIGTERM, None)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000"), ("::", "[::]:8000")]
)
def test_address_to_listen_on(monkeypatch: pytest.MonkeyPatch, host: str, expected: str) -> None:
    """An address of IPv6 stands in brackets."""
    monkeypatch.setenv("HOST", host)
    assert configuration()["bind"] == expected


def test_no_job_is_taken_after_the_signal(settings: Settings, signals: list[int]) -> None:
    """gunicorn still waits for requests then, and nothing that begins now could end in time."""
    app = create_app(settings.model_copy(update={"worker_threads": 1}))
    services: Services = app.extensions["webhooks"]
    worker = SimpleNamespace(wsgi=app, alive=True, cfg=Config())
    gunicorn = configuration()
    gunicorn["post_worker_init"](worker)
    assert services.working()
    terminate()
    assert signals == [signal.SIGTERM]
    assert not services.working()
    gunicorn["worker_exit"](None, worker)


def test_jobs_have_what_is_left_since_the_signal(signals: list[int]) -> None:
    """A stalled client has used some of the time; a second signal gives no more."""
    graces: list[float] = []
    services = SimpleNamespace(start_worker=lambda: None, stop_claiming=lambda: None, stop=graces.append)
    worker = SimpleNamespace(wsgi=SimpleNamespace(extensions={"webhooks": services}), alive=True, cfg=Config())
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


def test_requests_leave_time_for_jobs(signals: list[int]) -> None:
    """Waiting for clients and then for what runs is over before the master kills."""
    services = SimpleNamespace(start_worker=lambda: None)
    worker = SimpleNamespace(wsgi=SimpleNamespace(extensions={"webhooks": services}), alive=True, cfg=Config())
    gunicorn = configuration()
    gunicorn["post_worker_init"](worker)
    assert worker.cfg.graceful_timeout < gunicorn["JOB_GRACE_SECONDS"] < gunicorn["graceful_timeout"]


def test_part_is_built_once_by_many_threads() -> None:
    """Two inboxes in one process would have two writers; cached_property alone would make them since Python 3.12."""
    built: list[int] = []

    class Parts:
        lock = threading.RLock()

        @shared
        def part(self) -> object:
            built.append(threading.get_ident())
            time.sleep(0.02)
            return object()

    parts, found = Parts(), set()
    threads = [threading.Thread(target=lambda: found.add(parts.part)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(built), len(found)) == (1, 1)


@pytest.mark.parametrize("part", ["inbox", "registry", "rules", "notifiers", "sites"])
def test_all_parts_are_shared(part: str) -> None:
    """Each may be asked for by several threads at once."""
    assert isinstance(vars(Services)[part], shared)
