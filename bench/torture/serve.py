"""The server under torture: ours, with a handler that keeps a message log, and places where it kills itself.

Run by gunicorn as `bench.torture.serve:app`; the environment says what is to happen.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.event import listen

from bench.torture.flaws import FLAWS
from webhooks.app import create_app
from webhooks.errors import LeaseLost
from webhooks.inbox import Inbox
from webhooks.inbox.databases import group_commit
from webhooks.inbox.databases.sqlite import SqliteStore
from webhooks.job import Job
from webhooks.registry import Registry
from webhooks.rules import Rules
from webhooks.services import Services

LOG = Path(os.environ["TORTURE_LOG"])
MOMENT, _, EVERY = os.environ.get("TORTURE_KILL", "").partition(":")
WORK_SECONDS = float(os.environ.get("TORTURE_WORK") or 0)
FULL = Path(os.environ["TORTURE_LOG"] + ".full")
CLOCK = Path(os.environ["TORTURE_LOG"] + ".clock")
NO_LIMIT = 0x3FFFFFFE
INSTRUCTIONS = 30
seen: Counter[str] = Counter()


def write(*words: object) -> None:
    """One line to the message log, whole also when many processes write and one dies."""
    line = " ".join(map(str, (*words, os.getpid(), time.monotonic()))) + "\n"
    descriptor = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def reached(moment: str) -> None:
    """Kills this process with -9 whenever it has come here so many times."""
    if moment == MOMENT:
        seen[moment] += 1
        if seen[moment] >= int(EVERY):
            write("killed", moment.replace(" ", "-"))
            os.kill(os.getpid(), signal.SIGKILL)


def run(job: Job, still_mine: Callable[[], bool]) -> None:
    """The handler: `sent` is the moment at which the notifier accepted the message."""
    write("began", job.id, job.event.resource_luid)
    reached("after the claim")
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.01)
    if not still_mine():
        raise LeaseLost
    write("sent", job.id, job.event.resource_luid)
    reached("after the notifier accepted")


def watch(inbox: Inbox) -> None:
    """Puts the places where it may die, and the full disk, between the receiver and the database."""
    store = inbox.store
    keep = store.insert_event
    if isinstance(store, SqliteStore):
        _watch_sqlite(store)

    def watched(row: Sequence[Any]) -> tuple[int, int]:
        if not isinstance(store, SqliteStore):
            reached("before the commit")
        kept = keep(row)
        reached("after the commit")
        return kept

    store.insert_event = watched  # type: ignore[method-assign]


def _watch_sqlite(store: SqliteStore) -> None:
    commit_plainly, armed = group_commit.commit, threading.Event()

    def limited(connection: Connection, batch: list[group_commit.PendingWrite[Any]]) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA max_page_count={1 if FULL.exists() else NO_LIMIT}").fetchall()
        armed.set()
        commit_plainly(connection, batch)

    def inside() -> int:
        """SQLite calls this in the middle of a statement, which is before its commit."""
        if armed.is_set():
            armed.clear()
            reached("before the commit")
        return 0

    group_commit.commit = limited
    listen(store._writer, "connect", lambda driver, _: driver.set_progress_handler(inside, INSTRUCTIONS))  # noqa: SLF001
    store._wall = lambda: time.time() + (float(CLOCK.read_text() or 0) if CLOCK.exists() else 0.0)  # noqa: SLF001


app = create_app()
services: Services = app.extensions["webhooks"]
handlers = Registry()
handlers.on("*", name="torture")(lambda event: None)  # noqa: ARG005 - `run` below does the work
services.rules, services.registry = Rules(), handlers
services.runner = SimpleNamespace(run=run)  # type: ignore[assignment]
watch(services.inbox)
if flaw := os.environ.get("TORTURE_FLAW"):
    FLAWS[flaw][0](services.inbox)
