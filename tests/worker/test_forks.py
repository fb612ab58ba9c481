"""Test handlers that fork: their children end, disturb neither the job nor the worker, and may use the inbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import NOTIFY
from webhooks.event import Event
from webhooks.inbox import Inbox

ROOT = Path(__file__).parents[2]
# Runs the job of each name; the handler's result is the number of its children that ended as they should.
WORK = """
import multiprocessing, os, signal, sys, threading, time
# Under load, a process that was just forked may get a signal before its handlers are removed.
os.register_at_fork(after_in_child=lambda: time.sleep(0.02))
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from webhooks.context.under_way import RequestsUnderWay
from webhooks.forks import end_child
from webhooks.inbox import Inbox
from webhooks.worker.worker import Worker

stopping = threading.Event()
def asked_to_stop(*_):
    stopping.set()
signal.signal(signal.SIGTERM, asked_to_stop)
inbox = Inbox.open(sys.argv[1])
context = multiprocessing.get_context("fork")

def pool(job):
    with context.Pool(2) as workers:
        assert workers.map(abs, [-1, 2]) == [1, 2]

def executor(job):
    with ProcessPoolExecutor(2, context) as workers:
        assert list(workers.map(abs, [-1, 2])) == [1, 2]

def terminated(job):
    child = context.Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(30)
    assert child.exitcode == -signal.SIGTERM

def checkpoint(job):
    child = context.Process(target=inbox.checkpoints.set, args=(job, "a", 1))
    child.start()
    child.join(30)
    assert (child.exitcode, inbox.checkpoints.get(job, "a")) == (0, 1)

def under_way(job):
    requests, now, sent, response = RequestsUnderWay(), datetime.now(UTC), threading.Event(), threading.Event()
    def wait():
        sent.set()
        response.wait()
    thread = threading.Thread(target=requests.share, args=("a", wait), kwargs={"now": now, "not_before": now})
    thread.start()
    sent.wait()
    forks(lambda: requests.share("a", time.monotonic, now=now, not_before=now), 0)(job)
    response.set()
    thread.join()

def forks(how, expected):
    def fork(job):
        parent, child = os.getpid(), os.fork()
        if child == 0:
            try:
                how()
            except BaseException as error:
                end_child(parent, "forks", error)
            end_child(parent, "forks")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == expected
    return fork

HOW = {
    "pool": pool, "executor": executor, "terminated": terminated, "checkpoint": checkpoint,
    "under way": under_way,
    "returns": forks(lambda: None, 0), "exits": forks(lambda: sys.exit(3), 3), "raises": forks(lambda: 1 / 0, 1),
}

def run(job, still_mine):
    HOW[job.event.resource_name](job)

def watch(stopping):
    while inbox.counts()["ready"] or inbox.counts()["running"]:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)

Worker(inbox, planner=lambda event: [], run=run, threads=3, lease=60.0, watch=watch).run_forever(stopping)
"""
NAMES = ["pool", "executor", "terminated", "checkpoint", "under way", "returns", "exits", "raises"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_children_of_handlers_end_and_disturb_nothing(inbox: Inbox, url: str, event: Callable[..., Event]) -> None:
    """Each job is done at its first attempt, while other threads fork as well."""
    for name in NAMES * 2:
        inbox.events.receive(event(resource_name=name))
    inbox.events.plan(lambda _: [NOTIFY])
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", WORK, url],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs = {(one.event.resource_name, one.jobs[0].job.error) for one in inbox.events.list(limit=50)}
    assert jobs == {(name, None) for name in NAMES}
    attempts = [one.outcome for record in inbox.events.list(limit=50) for one in record.jobs[0].attempts_made]
    assert attempts == ["done"] * len(NAMES) * 2
    assert "A process forked by handler forks failed" in done.stderr


KILLED = """
import fcntl, os, signal, sys, time
from tests.support.databases import some_event
from webhooks.inbox import Inbox
inbox = Inbox.open(sys.argv[1])
inbox.events.receive(some_event(0))
# As while the thread that writes commits.
fcntl.flock(inbox.store._commit._lock.fileno(), fcntl.LOCK_EX)
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(60)
    os._exit(0)
time.sleep(0.1)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_child_of_a_killed_process_does_not_hold_the_lock(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """A process that is killed during a commit leaves no lock behind, although a process that it forked still runs."""
    killed = subprocess.run([sys.executable, "-c", KILLED, sqlite_url], check=False, cwd=ROOT, stdout=subprocess.PIPE)
    child = int(killed.stdout)
    try:
        assert not opened(sqlite_url).events.receive(event()).duplicate
    finally:
        os.kill(child, signal.SIGKILL)


# Forks while another thread is in a read or a write, and prints what its child, and a third thread meanwhile, got.
IN_USE = """
import os, sys, threading, time
from sqlalchemy import text
from tests.support.databases import some_event
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.inbox.databases import sqlite_use
sqlite_use.FORK_SECONDS = float(sys.argv[3])
inbox = Inbox.open(sys.argv[1])
inbox.events.receive(some_event(0))
begun = threading.Event()

def use(connection):
    connection.execute(text("SELECT count(*) FROM events")).all()
    begun.set()
    time.sleep(1)

def receive():
    inbox.events.receive(some_event(1))
    if sys.argv[2] == "read":
        print("event stored during the read", first.is_alive(), flush=True)

first = threading.Thread(target=getattr(inbox.store, sys.argv[2]), args=(use,))
first.start()
begun.wait()
second = threading.Thread(target=receive)
second.start()
if os.fork() == 0:
    try:
        print("child stored", inbox.events.receive(some_event(2)).id > 1, flush=True)
    except StoreUnavailable as error:
        print("child:", error, flush=True)
    os._exit(0)
first.join()
second.join()
os.wait()
inbox.close()
"""
DURING = "event stored during the read True"


@pytest.mark.parametrize(
    ("use", "seconds", "said"),
    [
        ("write", "5", {"child stored True"}),
        ("read", "5", {DURING, "child stored True"}),
        ("read", "0.1", {DURING, "child: this process was forked while another thread used the inbox"}),
    ],
)
def test_fork_waits_until_no_thread_uses_the_inbox(sqlite_url: str, use: str, seconds: str, said: set[str]) -> None:
    """Otherwise the child would wait for locks that are never free there; other threads store events meanwhile."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", IN_USE, sqlite_url, use, seconds],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, set(done.stdout.splitlines())) == (0, said), done.stderr


CLOSED = """
import os, sys
from tests.support.databases import some_event
from webhooks.inbox import Inbox
inbox = Inbox.open(sys.argv[1])
inbox.events.receive(some_event(0))
(opened, open_child), (closed, close_parent) = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(close_parent)
    inbox.events.receive(some_event(1))
    os.write(open_child, b"x")
    os.read(closed, 1)
    inbox.events.receive(some_event(2))
    os._exit(0)
os.read(opened, 1)
inbox.close()
os.close(close_parent)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_child_uses_the_inbox_after_its_parent_has_closed_it(sqlite_url: str, opened: Callable[..., Inbox]) -> None:
    """The parent, the last other process that closes the database, does not remove the log with the child's events."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CLOSED, sqlite_url]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(opened(sqlite_url).events.list()) == 3
