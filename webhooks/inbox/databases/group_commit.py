"""One writer thread a process: whatever waits is committed together, behind a lock that all processes share."""

from __future__ import annotations

import fcntl
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from webhooks.errors import StoreUnavailable
from webhooks.inbox import insert_event
from webhooks.inbox.databases.errors import is_mistake, unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

CAPACITY = 2000
"""Waiting writes beyond this are refused: Tableau tries again, memory does not grow."""
BATCH = 100
CLOSE_SECONDS = 5.0


class Waiting(Generic[T]):
    """A write that waits for its commit, and the outcome that its thread waits for.

    Where `row` is given the write keeps that event, so that it can go in together with others.
    """

    __slots__ = ("_answered", "abandoned", "error", "operation", "result", "row")

    def __init__(self, operation: Callable[[Connection], T], row: Sequence[Any] | None = None) -> None:
        self.operation = operation
        self.row = row
        self.abandoned = False
        self.error: Exception | None = None
        self.result: T
        # A bare lock is the cheapest way in Python for one thread to wake another once.
        self._answered = threading.Lock()
        self._answered.acquire()

    def answer(self) -> None:
        self._answered.release()

    def wait(self, timeout: float) -> T:
        if not self._answered.acquire(timeout=timeout):
            self.abandoned = True
            raise StoreUnavailable(f"the database did not commit within {timeout:g} s")
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit:
    """Runs operations in order, many to a transaction (`BEGIN IMMEDIATE`), one transaction at a time on the machine.

    SQLite's own waiting is a sleep loop that starves the unlucky; the queue in front of `flock` is what keeps the
    slowest answer near the median (docs/decisions/002-group-commit.md).
    """

    def __init__(self, connect: Callable[[], Connection], lock_file: Path) -> None:
        self._connect = connect
        self._lock_file = lock_file
        self._lock: TextIO | None = None
        self._connection: Connection | None = None
        self._closed = self._ended = False
        self._queue: queue.SimpleQueue[Waiting[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[Connection], T], timeout: float, row: Sequence[Any] | None = None) -> T:
        if self._closed:
            raise StoreUnavailable("the inbox is closed")
        if self._queue.qsize() >= CAPACITY:
            raise StoreUnavailable(f"{CAPACITY} writes are waiting already")
        waiting = Waiting(operation, row)
        self._queue.put(waiting)
        return waiting.wait(timeout)

    def close(self) -> None:
        """Commits what waits, then ends."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._ended:
            batch: list[Waiting[Any]] = []
            self._take(batch)
            if batch:
                self._settle(batch)
        self._discard()

    def _take(self, batch: list[Waiting[Any]]) -> None:
        """Waits for the next write, or for the end."""
        waiting = self._queue.get()
        if waiting is None:
            self._ended = True
        else:
            batch.append(waiting)

    def _take_more(self, batch: list[Waiting[Any]]) -> None:
        """Who came while others had the lock rides along: the fuller a batch, the fewer commits."""
        while len(batch) < BATCH and not self._queue.empty():
            self._take(batch)

    def _settle(self, batch: list[Waiting[Any]]) -> None:
        """Commits the batch or says why not; in either case every thread that waits gets its answer."""
        try:
            # Opened here and not before, so that a missing folder or a full disk is an answer like any other.
            self._lock = self._lock or self._lock_file.open("a")
            self._connection = self._connection or self._connect()
            with locked(self._lock):
                self._take_more(batch)
                _commit(self._connection, batch)
        except Exception as error:  # noqa: BLE001 — the thread must outlive every failure
            self._discard()
            for waiting in batch:
                waiting.error = waiting.error or unavailable(error)
        for waiting in batch:
            waiting.answer()

    def _discard(self) -> None:
        try:
            if self._connection is not None:
                self._connection.close()
            if self._lock is not None:
                self._lock.close()
        except (SQLAlchemyError, OSError):
            log.debug("closing a broken connection", exc_info=True)
        self._connection = self._lock = None


def _commit(connection: Connection, batch: list[Waiting[Any]]) -> None:
    """One transaction for all; an operation that is a mistake is left out, so that its neighbours do not suffer."""
    good = [waiting for waiting in batch if not waiting.abandoned]
    # A statement by itself is a transaction.
    if all(waiting.row is not None for waiting in good) and _kept_together(_driver(connection), good):
        return
    while good:
        wrong = _transact(connection, good)
        if wrong is None:
            return
        good.remove(wrong)


def _transact(connection: Connection, batch: list[Waiting[Any]]) -> Waiting[Any] | None:
    """Commits all and gives None, or nothing and gives the mistaken one. Raises what the database has to say."""
    # On the driver's connection: SQLAlchemy's way to say these two words costs as much as an insert.
    driver = _driver(connection)
    driver.execute("BEGIN IMMEDIATE")
    try:
        rows = [waiting for waiting in batch if waiting.row is not None]
        kept = len(rows) < len(batch) and _kept_together(driver, rows)
        for waiting in batch:
            if kept and waiting.row is not None:
                continue
            try:
                waiting.result = waiting.operation(connection)
            except Exception as error:
                if not is_mistake(error):
                    raise
                waiting.error = error
                driver.execute("ROLLBACK")
                return waiting
        driver.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself where the disk is full.
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
    return None


def _kept_together(driver: Any, batch: list[Waiting[Any]]) -> bool:
    """Keeps all these events with one statement, the common case; or none, where one of them has come before.

    Each statement hands the interpreter to other threads and has to wait for its return, with the lock in hand. One by
    one the events of a batch took ten times as long under load as alone.
    """
    if not batch:
        return True
    try:
        values = [value for waiting in batch for value in waiting.row or ()]
        cursor = driver.execute(insert_event.insert_new(len(batch)), values)
    except Exception as error:
        if not is_mistake(error):
            raise
        return False
    # SQLite numbers rows one after the other, https://sqlite.org/autoinc.html
    first = cursor.lastrowid - len(batch) + 1
    for number, waiting in enumerate(batch):
        waiting.result = (first + number, 0)
    return True


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def locked(file: TextIO) -> Iterator[None]:
    """Holds the lock that all processes of this machine share."""
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
