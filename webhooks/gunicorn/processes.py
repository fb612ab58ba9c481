"""Processes of one server: what they share, exit codes by which one ends all, starts in a thread, and children."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from webhooks.gunicorn.job_process import JobRole
from webhooks.inbox.databases.known_database import SIZE as KNOWN_DATABASE_SIZE
from webhooks.inbox.databases.known_database import KnownDatabase

# Seconds until the process that started alone may be replaced.
ALONE_SECONDS = 300.0


class ServingFlags:
    """The workers that have started to serve, in memory that they share with the master process."""

    def __init__(self) -> None:
        self._flags: dict[int, Any] = {}

    def add(self, worker: Any) -> None:
        """Add a worker before it is forked."""
        self._flags[id(worker)] = multiprocessing.RawValue("b", 0)

    def remove(self, worker: Any) -> None:
        """Remove a worker that has ended."""
        self._flags.pop(id(worker), None)

    def set(self, worker: Any, serving: bool) -> None:
        """Record in the worker's own process whether it serves."""
        if id(worker) in self._flags:
            self._flags[id(worker)].value = serving

    def ended_after_serving(self, living: Iterable[Any]) -> bool:
        """Return whether workers have ended and are not removed yet, and all of these had started to serve."""
        ended = self._flags.keys() - {id(worker) for worker in living}
        return bool(ended) and all(self._flags[worker].value for worker in ended)


# gunicorn reads its configuration again at a reload, but this module only once.
serving_flags = ServingFlags()


# By the address of the database; as above.
known_databases: dict[str, KnownDatabase] = {}


def known_database(url: str) -> KnownDatabase:
    """Return what this server's processes know about the database, in memory that those forked later share."""
    if url not in known_databases:
        known_databases[url] = KnownDatabase(multiprocessing.RawArray("Q", KNOWN_DATABASE_SIZE))
    return known_databases[url]


@cache
def job_role() -> JobRole:
    """Return the role of running jobs, which this server's processes share, also those before and after a reload."""
    return JobRole()


class BootCode(int):
    """A worker's exit code by which gunicorn stops the whole server, unless the worker had started to serve.

    The codes 3 and 4 mean for gunicorn that no worker can start; a handler may end its process with them as well.
    """

    _has_served: Callable[[], bool]

    def __new__(cls, code: int, has_served: Callable[[], bool]) -> Self:
        """Return the code; `has_served` returns whether the worker that has just ended had started to serve."""
        self = super().__new__(cls, code)
        self._has_served = has_served
        return self

    def __eq__(self, other: object) -> bool:
        """Return whether the code of a worker that has ended is this one, and means what gunicorn takes it for."""
        return int(self) == other and not self._has_served()

    __hash__ = int.__hash__


def start_in_background(worker: Any, start: Callable[[], None]) -> threading.Thread:
    """Run `start` in a thread while the worker's process serves, and return the thread; an error ends the process.

    The process that replaces it starts in the ordinary way, which reports an error that is still there.
    """

    def run() -> None:
        try:
            start()
        except Exception as error:  # noqa: BLE001 - see above
            end_process(worker, error)

    thread = threading.Thread(target=run, name="start", daemon=True)
    thread.start()
    return thread


def end_process(worker: Any, error: Exception) -> None:
    """Let the process end because it could not start a part of its work; the master replaces it."""
    worker.log.error("Process stopping, its start failed: %s", " ".join(str(error).split()))
    worker.alive = False


def end_when_quiet(worker: Any, is_quiet: Callable[[], bool]) -> None:
    """Let the process end, five minutes after its start, as soon as it has no connection and `is_quiet` is true.

    The master replaces it. gunicorn calls `notify` in the main thread before it accepts connections, at least every
    second; one that is accepted afterwards is served to its end.
    """
    notify, after = worker.notify, time.monotonic() + ALONE_SECONDS

    def notify_or_end() -> None:
        notify()
        if worker.alive and time.monotonic() >= after and worker.nr_conns == 0 and is_quiet():
            worker.log.info("Process stopping, replaced by one that shares memory with the others")
            worker.alive = False

    worker.notify = notify_or_end


def child_processes() -> list[int]:
    """Return the ids of this process's children; empty where there is no /proc, as on macOS."""
    pids: list[int] = []
    for children in Path("/proc/self/task").glob("*/children"):
        # A thread may end between the listing and the reading.
        with suppress(OSError):
            pids += map(int, children.read_text().split())
    return pids
