"""The server under torture: ours, with a handler that keeps a message log, and places where it kills itself.

Run by gunicorn as `bench.torture.serve:app`; the environment says what is to happen.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bench.torture.flaws import FLAWS
from webhooks.app import create_app
from webhooks.errors import LeaseLost
from webhooks.inbox import Inbox
from webhooks.inbox.sqlite import SqliteStore
from webhooks.inbox.store import ACK_SECONDS
from webhooks.job import Job, NewJob
from webhooks.services import Services

LOG = Path(os.environ["TORTURE_LOG"])
MOMENT, _, EVERY = os.environ.get("TORTURE_KILL", "").partition(":")
WORK_SECONDS = float(os.environ.get("TORTURE_WORK") or 0)
FULL = Path(os.environ["TORTURE_LOG"] + ".full")
CLOCK = Path(os.environ["TORTURE_LOG"] + ".clock")
NO_LIMIT = 0x3FFFFFFE
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
    insert = store.insert
    if isinstance(store, SqliteStore):
        _watch_sqlite(store)
        insert = store.insert

    def watched(statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        if not isinstance(store, SqliteStore):
            reached("before the commit")
        row = insert(statement, values)
        reached("after the commit")
        return row

    store.insert = watched  # type: ignore[method-assign]


def _watch_sqlite(store: SqliteStore) -> None:
    write_plainly = store.write

    def write_watched(operation: Callable[[Connection], Any], *, timeout: float = 30.0) -> Any:
        def limited(connection: Connection) -> Any:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA max_page_count={1 if FULL.exists() else NO_LIMIT}").fetchall()
            result = operation(connection)
            if timeout == ACK_SECONDS:
                reached("before the commit")
            return result

        return write_plainly(limited, timeout=timeout)

    store.write = write_watched  # type: ignore[method-assign]
    store._wall = lambda: time.time() + (float(CLOCK.read_text() or 0) if CLOCK.exists() else 0.0)  # noqa: SLF001


app = create_app()
services: Services = app.extensions["webhooks"]
services.matching = lambda event: [NewJob("torture", "torture")]  # type: ignore[method-assign]  # noqa: ARG005
services.run = run  # type: ignore[method-assign,assignment]
watch(services.inbox)
if flaw := os.environ.get("TORTURE_FLAW"):
    FLAWS[flaw][0](services.inbox)
