"""Test the sign-in sessions shared by all processes, and the lock that lets only one sign in."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Clock
from webhooks.inbox import Inbox
from webhooks.inbox.server.sessions import LOCK_SECONDS

ROOT = Path(__file__).parents[3]
COUNT_UNDER_LOCK = """
import pathlib, sys, threading
from webhooks.inbox import Inbox
url, file = sys.argv[1], pathlib.Path(sys.argv[2])
inbox = Inbox.open(url)
def count():
    for _ in range(5):
        with inbox.sessions.lock("counter"):
            seen = int(file.read_text())
            file.write_text(str(seen + 1))
threads = [threading.Thread(target=count) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
inbox.close()
"""


def test_latest_session_is_loaded(inbox: Inbox) -> None:
    """Any bytes come back unchanged; the last ones that were saved count."""
    assert inbox.sessions.load("site") is None
    inbox.sessions.save("site", b"\x00old")
    inbox.sessions.save("site", b"\x00new\xff")
    inbox.sessions.save("other", b"x")
    assert inbox.sessions.load("site") == b"\x00new\xff"


def test_lock_excludes_threads(inbox: Inbox) -> None:
    """Eight threads that count under the lock lose no number."""
    seen = {"count": 0}

    def count(_: int) -> None:
        with inbox.sessions.lock("counter"):
            before = seen["count"]
            sum(range(1000))  # time for another thread
            seen["count"] = before + 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(8)))
    assert seen["count"] == 8


def test_lock_excludes_processes(url: str, tmp_path: Path) -> None:
    """Two processes with three threads each take turns."""
    file = tmp_path / "counter"
    file.write_text("0")
    command = [sys.executable, "-c", COUNT_UNDER_LOCK, url, str(file)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert file.read_text() == "30"


def test_lock_of_a_crashed_process_expires(box: Inbox, clock: Clock) -> None:
    """A lock that was not released is free after its time."""
    held: Any = box.sessions.lock("site")
    held.__enter__()
    clock.forward(LOCK_SECONDS + 1)
    with box.sessions.lock("site"):
        pass


def test_lock_is_released_after_an_error(inbox: Inbox) -> None:
    """A sign-in that fails does not exclude the others."""
    with pytest.raises(ZeroDivisionError), inbox.sessions.lock("site"):
        1 / 0  # noqa: B018 - any error
    with inbox.sessions.lock("site"):
        pass
