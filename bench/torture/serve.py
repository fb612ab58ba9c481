"""The application of the tested server: ours, with a handler that logs messages, and moments at which it kills itself.

gunicorn runs it as `bench.torture.serve:app`; environment variables select what happens.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.event import listen

from bench.torture.flaws import FLAWS
from webhooks.app import create_app
from webhooks.errors import LeaseLost
from webhooks.event import Event
from webhooks.inbox import Inbox, Receipt
from webhooks.inbox.databases import group_commit
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.sqlite import SqliteStore
from webhooks.inbox.events.pending_receipt import PendingReceipt
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
    """Append a line to the message log in one system call, so that it is whole even if a process dies."""
    line = " ".join(map(str, (*words, os.getpid(), time.monotonic()))) + "\n"
    descriptor = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def reached(moment: str) -> None:
    """Kill this process with -9 when it has reached the selected moment often enough."""
    if moment == MOMENT:
        seen[moment] += 1
        if seen[moment] >= int(EVERY):
            write("killed", moment.replace(" ", "-"))
            os.kill(os.getpid(), signal.SIGKILL)


def run(job: Job, still_mine: Callable[[], bool]) -> None:
    """Log when the handler began, and when its message was sent."""
    write("began", job.id, job.event.resource_luid)
    reached("after the claim")
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.01)
    if not still_mine():
        raise LeaseLost
    write("sent", job.id, job.event.resource_luid)
    reached("after the notifier accepted")


def instrument(inbox: Inbox) -> None:
    """Add the moments at which a process may die, and the full disk, to the store."""
    store, events = inbox.store, inbox.events
    begin, receipt_of = events.begin, events._receipt  # noqa: SLF001 - tested from inside
    if isinstance(store, SqliteStore):
        _instrument_sqlite(store)

    def begin_event(event: Event, on_complete: Callable[[], None] | None = None) -> PendingReceipt:
        if not isinstance(store, SqliteStore):
            reached("before the commit")
        return begin(event, on_complete)

    def receipt(outcome: Callable[[], tuple[int, int]]) -> Receipt:
        found = receipt_of(outcome)
        reached("after the commit")
        return found

    events.begin = begin_event  # type: ignore[method-assign]
    events._receipt = receipt  # type: ignore[method-assign] # noqa: SLF001 - tested from inside


def _instrument_sqlite(store: SqliteStore) -> None:
    commit, armed = group_commit.commit, threading.Event()

    def commit_with_limit(connection: Connection, batch: list[PendingWrite[Any]]) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA max_page_count={1 if FULL.exists() else NO_LIMIT}").fetchall()
        armed.set()
        commit(connection, batch)

    def in_a_statement() -> int:
        """Die within a statement, which is before its commit."""
        if armed.is_set():
            armed.clear()
            reached("before the commit")
        return 0

    group_commit.commit = commit_with_limit
    listen(store._writer, "connect", lambda driver, _: driver.set_progress_handler(in_a_statement, INSTRUCTIONS))  # noqa: SLF001 - tested from inside
    store._wall = lambda: time.time() + (float(CLOCK.read_text() or 0) if CLOCK.exists() else 0.0)  # noqa: SLF001 - tested from inside


app = create_app()
services: Services = app.extensions["webhooks"]
handlers = Registry()
handlers.on("*", name="torture")(lambda event: None)  # noqa: ARG005 - `run` below does the work
services.registry = handlers
services.active_rules = SimpleNamespace(rules=Rules(), refresh=lambda: None)  # type: ignore[assignment]
services.runner = SimpleNamespace(attempt=run)  # type: ignore[assignment]
instrument(services.inbox)
if flaw := os.environ.get("TORTURE_FLAW"):
    FLAWS[flaw][0](services.inbox)
