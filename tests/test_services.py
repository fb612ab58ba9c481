"""The wiring: each part is built once, on first use."""

from __future__ import annotations

import threading
import time

import pytest

from webhooks.config.settings import Settings
from webhooks.services import Services, shared


def test_part_is_built_once_by_many_threads() -> None:
    """Two inboxes in one process would have two writers; cached_property has no lock since Python 3.12."""
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


@pytest.mark.parametrize("part", ["inbox", "registry", "rules", "notifiers", "sites", "runner"])
def test_all_parts_are_shared(part: str) -> None:
    """Several threads may be the first to use one."""
    assert isinstance(vars(Services)[part], shared)


def test_worker_is_started_once(settings: Settings) -> None:
    """A second call changes nothing; with WORKER_THREADS=0 no worker is needed."""
    services = Services(settings.model_copy(update={"worker_threads": 1}))
    assert not services.working()
    services.start_worker()
    threads = {thread for thread in threading.enumerate() if thread.name == "dispatcher"}
    services.start_worker()
    assert {thread for thread in threading.enumerate() if thread.name == "dispatcher"} == threads
    assert services.working()
    services.stop()
    assert not services.working()
    without = Services(settings)
    without.start_worker()
    assert without.working()
    without.stop()
