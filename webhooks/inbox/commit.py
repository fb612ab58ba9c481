"""One writer thread a process: whatever waits is committed together, behind a lock that all processes share."""

from __future__ import annotations

import fcntl
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from webhooks.errors import StoreUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

CAPACITY = 2000
"""Waiting writes beyond this are refused: Tableau tries again, memory does not grow."""
BATCH = 500


class Waiting(Generic[T]):
    """A write that waits for its commit, and the outcome that its thread waits for."""

    __slots__ = ("_answered", "abandoned", "error", "operation", "result")

    def __init__(self, operation: Callable[[Connection], T]) -> None:
        self.operation = operation
        self.abandoned = False
        self.error: BaseException | None = None
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
        self._queue: queue.SimpleQueue[Waiting[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[Connection], T], timeout: float) -> T:
        if self._queue.qsize() >= CAPACITY:
            raise StoreUnavailable(f"{CAPACITY} writes are waiting already")
        waiting = Waiting(operation)
        self._queue.put(waiting)
        return waiting.wait(timeout)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        connection: Connection | None = None
        closing = False
        with self._lock_file.open("a") as lock:
            while not closing:
                taken = self._take()
                closing = None in taken
                batch = [waiting for waiting in taken if waiting is not None]
                try:
                    connection = connection or self._connect()
                    with _locked(lock.fileno()):
                        self._commit(connection, batch)
                except Exception as error:  # noqa: BLE001 — the thread must outlive every failure
                    _discard(connection)
                    connection = None
                    _fail(batch, error)
                for waiting in batch:
                    waiting.answer()
        _discard(connection)

    def _take(self) -> list[Waiting[Any] | None]:
        """All that waits now; at least one."""
        batch = [self._queue.get()]
        while len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def _commit(self, connection: Connection, batch: list[Waiting[Any]]) -> None:
        try:
            _transact(connection, batch)
        except Exception:
            if len(batch) == 1:
                raise
            # One bad row must not fail its neighbours: each once more, alone.
            for waiting in batch:
                try:
                    _transact(connection, [waiting])
                except Exception as error:  # noqa: BLE001 — handed to the thread that waits
                    waiting.error = unavailable(error)


def _transact(connection: Connection, batch: list[Waiting[Any]]) -> None:
    # On the driver's connection: SQLAlchemy's way to say these two words costs as much as an insert.
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE")
    try:
        for waiting in batch:
            if not waiting.abandoned:
                waiting.result = waiting.operation(connection)
        driver.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself where the disk is full.
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def unavailable(error: Exception) -> Exception:
    """The database's own failures become StoreUnavailable; a mistake of the operation stays what it is."""
    if isinstance(error, SQLAlchemyError) or type(error).__module__ in {"sqlite3", "psycopg.errors"}:
        wrapped = StoreUnavailable(str(getattr(error, "orig", None) or error))
        wrapped.__cause__ = error
        return wrapped
    return error


def _fail(batch: list[Waiting[Any]], error: Exception) -> None:
    for waiting in batch:
        waiting.error = unavailable(error)


def _discard(connection: Connection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except SQLAlchemyError:
            log.debug("closing a broken connection", exc_info=True)


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
