"""Group commit for SQLite: one writer thread for each process commits all waiting writes in one transaction."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.errors import can_pass, unavailable
from webhooks.inbox.databases.log_sync import LogSync
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.sqlite_files import SqliteFiles
from webhooks.inbox.databases.sqlite_use import SQLITE
from webhooks.inbox.databases.write_queue import WriteQueue
from webhooks.inbox.events import insert_event

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH = 100
CLOSE_SECONDS = 5.0
# For a lock that no commit needs, and the pause between two attempts.
LOCK_SECONDS = 2.0
LOCK_PAUSE_SECONDS = 0.005


class GroupCommit:
    """Run operations in order, many to a transaction (`BEGIN IMMEDIATE`), one transaction at a time on the machine.

    SQLite's own waiting is a sleep loop that can starve a writer; a queue in front of `flock` keeps the slowest commit
    near the median (docs/decisions/002-group-commit.md). A commit is written to disk when the lock is free again
    (docs/decisions/036-sync-after-the-commit.md). `files` raise StoreUnavailable if what is committed may be lost,
    because another program changed them. `open_database` is called before each batch; it raises StoreUnavailable while
    the database cannot be used.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        lock_file: Path,
        files: SqliteFiles,
        open_database: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._open_database = open_database
        self._lock_file = lock_file
        self._files = files
        self._lock: TextIO | None = None
        self._connection: Connection | None = None
        self._log = LogSync(files.log)
        self._waiting: WriteQueue[PendingWrite[Any]] = WriteQueue()
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[Connection], T], timeout: float) -> T:
        """Return the operation's result once it is on disk. Raises StoreUnavailable after `timeout` seconds."""
        pending = PendingWrite(operation, timeout)
        self.begin(pending)
        return pending.wait()

    def begin(self, pending: PendingWrite[Any]) -> None:
        """Let the write wait for its commit; it fails at once if too many wait."""
        self._waiting.put(pending)

    def close(self) -> None:
        """Commit the waiting writes, then stop."""
        self._waiting.close()
        self._thread.join(CLOSE_SECONDS)

    def discard(self) -> None:
        """Close connection, log and lock file; the next write opens new ones."""
        for file in (self._connection, self._log, self._lock):
            try:
                if file is not None:
                    with SQLITE:
                        file.close()
            except (SQLAlchemyError, OSError, StoreUnavailable):
                log.debug("Error while closing a broken connection", exc_info=True)
        self._connection = self._lock = None

    def after_fork(self) -> None:
        """Close a forked process's copy of the lock file: it would hold the lock if the parent is killed meanwhile."""
        if self._lock is not None:
            # The object itself may be in use by a thread that does not exist here, which may just have closed it.
            with suppress(OSError, ValueError):
                os.close(self._lock.fileno())

    def _run(self) -> None:
        while batch := self._waiting.take(BATCH):
            # For writes that are not wanted any more, nothing has to wait for a locked database.
            if not all(pending.abandoned for pending in batch):
                self._settle(batch)
        self.discard()

    def _settle(self, batch: list[PendingWrite[Any]]) -> None:
        """Commit a batch or set its errors, and wake every waiting thread."""
        try:
            lock, connection = self._prepare()
            with locked(lock):
                # Also take writes queued while waiting for the lock: larger batches need fewer commits.
                batch += self._waiting.take_more(BATCH - len(batch))
                # Before the commit: a process that starts reads the newest event as soon as it is committed.
                known = self._files.newest
                with SQLITE:
                    commit(connection, batch)
                # While other processes wait: they see the events in the order of their ids.
                self._files.record(inserted_ids(batch), known)
            # While other processes commit.
            self._log.sync(lock)
            self._files.verify()
        except Exception as caught:  # noqa: BLE001 - the thread must survive every failure
            error = self._explained(caught)
            self.discard()
            for pending in batch:
                pending.error = pending.error or (unavailable(error) if can_pass(error) else error)
        self._waiting.expect(len(batch))
        for pending in batch:
            pending.complete()

    def _prepare(self) -> tuple[TextIO, Connection]:
        """Check the files, open what is not open, and return the lock and the connection. Raises StoreUnavailable.

        Done by the writer thread, so that a missing folder or a full disk is an error of this write, and no request
        waits for another program that has locked the database.
        """
        self._open_database()
        # Before the commit as well: it may end with a checkpoint, after which an overwritten file looks right.
        self._files.verify()
        self._lock = self._lock or open_lock(self._lock_file)
        if self._connection is None:
            with SQLITE:
                self._connection = self._connect()
                _driver(self._connection).execute("PRAGMA synchronous=NORMAL")
        self._log.open()
        if self._log.failed(self._lock):
            with locked(self._lock), SQLITE:
                self._log.repair(self._lock, _driver(self._connection))
        return self._lock, self._connection

    def _explained(self, error: Exception) -> Exception:
        """Return why the files cannot be used if that is the cause, else the error."""
        try:
            self._files.verify()
        except (StoreUnavailable, OSError) as cause:
            return cause
        return error


def commit(connection: Connection, batch: list[PendingWrite[Any]]) -> None:
    """Commit the batch in one transaction, without operations that are mistakes: they get their own error."""
    pending = [write for write in batch if write.take()]
    # A single statement is its own transaction.
    if all(write.row is not None for write in pending) and _insert_together(_driver(connection), pending):
        return
    while pending:
        mistake = _commit_unless_mistaken(connection, pending)
        if mistake is None:
            return
        pending.remove(mistake)


def inserted_ids(batch: list[PendingWrite[Any]]) -> list[int]:
    """Return the ids of the new events of a committed batch."""
    stored = [write.result for write in batch if write.row is not None and not write.error and not write.abandoned]
    return [event_id for event_id, duplicates in stored if not duplicates]


def _commit_unless_mistaken(connection: Connection, batch: list[PendingWrite[Any]]) -> PendingWrite[Any] | None:
    """Commit all and return None, or commit nothing and return the mistaken write. Raises errors that can pass."""
    # On the driver's connection: SQLAlchemy's overhead for these two statements equals the cost of an insert.
    driver = _driver(connection)
    driver.execute("BEGIN IMMEDIATE")
    try:
        rows = [write for write in batch if write.row is not None]
        inserted = len(rows) < len(batch) and _insert_together(driver, rows)
        for write in batch:
            if inserted and write.row is not None:
                continue
            try:
                write.result = write.operation(connection)
            except Exception as error:
                if can_pass(error):
                    raise
                write.error = error
                driver.execute("ROLLBACK")
                return write
        driver.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back if the disk is full.
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
    return None


def _insert_together(driver: Any, batch: list[PendingWrite[Any]]) -> bool:
    """Insert all events with one statement, the common case, or none and return False if one is a duplicate.

    Each statement releases the interpreter and has to wait for it while holding the lock. One by one, the events of a
    batch took ten times as long under load as they do alone.
    """
    if not batch:
        return True
    try:
        values = [value for write in batch for value in write.row or ()]
        cursor = driver.execute(insert_event.insert_new(len(batch)), values)
    except Exception as error:
        if can_pass(error):
            raise
        return False
    # SQLite assigns consecutive ids to the rows, https://sqlite.org/autoinc.html
    first = cursor.lastrowid - len(batch) + 1
    for number, write in enumerate(batch):
        write.result = (first + number, 0)
    return True


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def open_lock(path: Path) -> TextIO:
    """Open the lock file; a new one is private, because every process that can read it can hold the lock."""
    return open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


@contextmanager
def locked_soon(file: TextIO) -> Iterator[None]:
    """Hold the same lock. Raises StoreUnavailable if another process holds it for long, such as one that migrates."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{file.name} is locked by another process") from None
            time.sleep(LOCK_PAUSE_SECONDS)
    try:
        yield
    finally:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


@contextmanager
def locked(file: TextIO) -> Iterator[None]:
    """Hold the lock that all processes of this machine share."""
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
