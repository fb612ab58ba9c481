"""Test worker processes that are killed or suspended while they run a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.databases import NOTIFY
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import JobState

ROOT = Path(__file__).parents[2]
LEASE = 1.0
WORK = """
import os, pathlib, sys, threading, time
from webhooks.inbox import Inbox
from webhooks.worker.worker import Worker
url, log = sys.argv[1], pathlib.Path(sys.argv[2])
def run(job, still_mine):
    with log.open("a") as file:
        file.write(f"{os.getpid()} began\\n")
    time.sleep(float(sys.argv[3]))
    with log.open("a") as file:
        file.write(f"{os.getpid()} {'ended' if still_mine() else 'lost'}\\n")
Worker(Inbox.open(url), planner=lambda event: [], run=run, threads=1, lease=1.0).run_forever(threading.Event())
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the file to which worker processes write."""
    file = tmp_path / "log"
    file.touch()
    return file


@pytest.fixture
def working(url: str, log: Path) -> Iterator[Callable[[float], int]]:
    """Start a worker process whose handler takes `seconds`, and return its process id."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(seconds: float) -> int:
        processes.append(subprocess.Popen([sys.executable, "-c", WORK, url, str(log), str(seconds)], cwd=ROOT))
        return processes[-1].pid

    yield start
    for process in processes:
        process.kill()
        process.wait()


def wait_for(log: Path, line: str) -> None:
    """Wait until the log contains the line."""
    deadline = time.monotonic() + 60
    while line not in log.read_text():
        assert time.monotonic() < deadline, f"{line!r} was not written: {log.read_text()!r}"
        time.sleep(0.02)


@pytest.fixture
def planned(inbox: Inbox, event: Callable[..., Event]) -> Inbox:
    """Return an inbox with one job that is due."""
    inbox.events.receive(event())
    inbox.events.plan(lambda _: [NOTIFY])
    return inbox


def outcomes(inbox: Inbox) -> list[str]:
    """Return the outcomes of the job's attempts."""
    return [attempt.outcome for attempt in inbox.events.list()[0].jobs[0].attempts_made]


def test_job_of_a_killed_process_is_taken_over(planned: Inbox, log: Path, working: Callable[[float], int]) -> None:
    """The job of a process killed with -9 is done by another one when its lease has ended."""
    first = working(60)
    wait_for(log, f"{first} began")
    second = working(0)
    os.kill(first, signal.SIGKILL)
    wait_for(log, f"{second} ended")
    _wait_done(planned)
    assert outcomes(planned) == ["lost", "done"]


def test_suspended_process_cannot_end_a_job_that_was_taken_over(
    planned: Inbox, log: Path, working: Callable[[float], int]
) -> None:
    """A process that is resumed after another one took its job knows that it lost the job, and changes nothing."""
    first = working(0.5)
    wait_for(log, f"{first} began")
    os.kill(first, signal.SIGSTOP)
    second = working(0)
    wait_for(log, f"{second} ended")
    _wait_done(planned)
    os.kill(first, signal.SIGCONT)
    wait_for(log, f"{first} lost")
    time.sleep(0.2)
    assert planned.events.list()[0].jobs[0].job.state is JobState.DONE
    assert outcomes(planned) == ["lost", "done"]


def _wait_done(inbox: Inbox) -> None:
    deadline = time.monotonic() + 60
    while inbox.events.list()[0].jobs[0].job.state is not JobState.DONE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
