"""The inbox in a SQLite file: for one machine, with nothing to install."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Double, create_engine, event, literal
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from webhooks.inbox.commit import GroupCommit, unavailable
from webhooks.inbox.store import WRITE_SECONDS, Clock, Operation, Store

T = TypeVar("T")

BUSY_MILLISECONDS = 1500
"""For writers that are not ours (a shell on the file); our own wait in a queue."""


class SqliteStore(Store):
    """WAL and `synchronous=FULL`: a commit is on disk before anybody hears of it. Never on a network disk."""

    placeholder = "?"

    def __init__(self, url: URL, clock: Clock | None = None) -> None:
        if not url.database or url.database == ":memory:":
            raise RuntimeError(
                "DATABASE_URL: an inbox in memory keeps nothing; name a file, e.g. sqlite:///data/inbox.sqlite3"
            )
        self._path = Path(url.database)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_file = self._path.with_name(self._path.name + ".lock")
        self._clock = clock or time.time
        self._readers = create_engine(url, pool_size=5, max_overflow=20, pool_timeout=5)
        self._writer = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        event.listen(self._readers, "connect", _reading)
        event.listen(self._writer, "connect", _writing)
        self._starting = threading.Lock()
        self._commit: GroupCommit | None = None

    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:
        return (self._commit or self._start()).write(operation, timeout)

    def _start(self) -> GroupCommit:
        """Threads do not survive a fork, so the writer starts with the first write and not with the store."""
        with self._starting:
            self._commit = self._commit or GroupCommit(self._writer.connect, self._lock_file)
        return self._commit

    def read(self, operation: Operation[T]) -> T:
        try:
            with self._readers.connect() as connection:
                return operation(connection)
        except SQLAlchemyError as error:
            raise unavailable(error) from error

    def now(self) -> ColumnElement[float]:
        return literal(self._clock(), Double)

    def seconds(self, connection: Connection) -> float:  # noqa: ARG002 — on one machine the clock is at hand
        return self._clock()

    def stamp(self) -> tuple[str, tuple[float, ...]]:
        return "?", (self._clock(),)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self._lock_file.open("a") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            with self._writer.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.exec_driver_sql("COMMIT")

    def size(self) -> int:
        files = (self._path.with_name(self._path.name + end) for end in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        if self._commit is not None:
            self._commit.close()
        self._readers.dispose()
        self._writer.dispose()


def _reading(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA query_only=ON")


def _writing(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_size_limit=67108864")
