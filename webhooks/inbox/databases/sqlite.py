"""The inbox in a SQLite file: for one machine, with nothing to install."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Double, Table, create_engine, event, literal
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from webhooks.inbox import insert_event, migrate
from webhooks.inbox.databases import sqlite_clock as steady
from webhooks.inbox.databases.errors import unavailable
from webhooks.inbox.databases.group_commit import GroupCommit, locked
from webhooks.inbox.databases.store import ACK_SECONDS, PARENT_CONNECTIONS, WRITE_SECONDS, Clock, Operation, Store

T = TypeVar("T")

BUSY_MILLISECONDS = 1500
"""For writers that are not ours (a shell on the file); our own wait in a queue."""
LISTEN_SECONDS = 0.015
"""Between looks for commits of other processes; a look costs some 20 µs."""
STATEMENTS = 64
TIDY_PAGES = 256
TIDY_PAUSE_SECONDS = 0.02


class SqliteStore(Store):
    """WAL and `synchronous=FULL`: a commit is on disk before anybody hears of it. Never on a network disk.

    `wall` is the machine's clock, for tests; `clock` replaces both clocks.
    """

    placeholder = "?"

    def __init__(self, url: URL, clock: Clock | None = None, wall: Clock = time.time) -> None:
        super().__init__()
        if not url.database or url.database == ":memory:":
            raise RuntimeError(
                "DATABASE_URL: an inbox in memory keeps nothing; name a file, e.g. sqlite:///data/inbox.sqlite3"
            )
        self._path = Path(url.database)
        self._lock_file = self._path.with_name(self._path.name + ".lock")
        self._wall = clock or wall
        self._fixed = clock
        self._offset: float | None = None
        self._readers = create_engine(url, pool_size=5, max_overflow=20, pool_timeout=5)
        self._writer = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            # A batch of each size is a statement of its own, and a large one takes some 60 kB.
            connect_args={"cached_statements": STATEMENTS},
        )
        event.listen(self._readers, "connect", _reading)
        event.listen(self._writer, "connect", _writing)
        self._starting = threading.Lock()
        self._commit: GroupCommit | None = None

    def after_fork(self) -> None:
        super().after_fork()
        PARENT_CONNECTIONS.extend([self._readers.pool, self._commit])
        self._readers.dispose(close=False)
        self._starting = threading.Lock()
        self._commit = None

    def ensure_ready(self) -> None:
        super().ensure_ready()
        if self._offset is None and self._fixed is None and steady.boot():
            with self.connected() as connection:
                self._offset = steady.offset(connection)
            if self._offset is None:
                with self.migrating() as connection:
                    self._offset = steady.start(connection, self._wall())

    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:
        return (self._commit or self._start()).write(operation, timeout)

    def insert_event(self, row: Sequence[Any]) -> tuple[int, int]:
        whole = (*row, self._wall())
        kept: tuple[int, int] = (self._commit or self._start()).write(
            lambda connection: _execute(connection, insert_event.upsert("?", "?"), whole), ACK_SECONDS, whole
        )
        return kept

    def acknowledge(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        return self.write(lambda connection: _execute(connection, statement, values), timeout=ACK_SECONDS)

    def _start(self) -> GroupCommit:
        """Threads do not survive a fork, so the writer starts with the first write and not with the store."""
        self.ensure_ready()
        with self._starting:
            self._commit = self._commit or GroupCommit(self._writer.connect, self._lock_file)
        return self._commit

    def read(self, operation: Operation[T]) -> T:
        self.ensure_ready()
        try:
            with self._readers.connect() as connection:
                return operation(connection)
        except SQLAlchemyError as error:
            raise unavailable(error) from error

    def upsert(self, table: Table) -> sqlite.Insert:
        return sqlite.insert(table)

    def now_sql(self) -> ColumnElement[float]:
        return literal(self._now(), Double)

    def now(self, connection: Connection) -> float:  # noqa: ARG002 — on one machine the clock is at hand
        return self._now()

    def _now(self) -> float:
        return self._wall() if self._offset is None else time.monotonic() + self._offset

    def to_wall(self, now: float) -> float:
        return now if self._offset is None else now + (self._wall() - self._now())

    def wall_sql(self) -> tuple[str, tuple[float, ...]]:
        return "?", (self._wall(),)

    def revision(self) -> str | None:
        with self.connected() as connection:
            return migrate.revision(connection)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection for a moment, each statement committed by itself. Raises StoreUnavailable."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._writer.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise unavailable(error) from error

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self.connected() as connection, self._lock_file.open("a") as lock, locked(lock):
            # Takes effect in an empty file only: deleted rows can then be given back in small steps.
            connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.exec_driver_sql("COMMIT")

    def size(self) -> int:
        files = (self._path.with_name(self._path.name + end) for end in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def listen(self, on_change: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Looks at SQLite's own counter of other connections' commits, https://sqlite.org/pragma.html#pragma_data_version"""
        while not stopping():
            with suppress(Exception), self.connected() as connection:
                driver: Any = connection.connection.driver_connection
                self._look(driver, on_change, stopping)
            time.sleep(LISTEN_SECONDS)

    def _look(self, driver: Any, on_change: Callable[[], None], stopping: Callable[[], bool]) -> None:
        seen = None
        while not stopping():
            version = driver.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                on_change()
            time.sleep(LISTEN_SECONDS)

    def reclaim_space(self) -> None:
        """A few pages to a transaction; then the log of the last writes is emptied into the file."""
        free = 1
        while free:
            self.write(lambda connection: _give_back(connection, TIDY_PAGES))
            free = self.read(lambda connection: int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()))
            if not self.read(lambda c: int(c.exec_driver_sql("PRAGMA auto_vacuum").scalar_one())):
                break
            time.sleep(TIDY_PAUSE_SECONDS)
        with self.connected() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()

    def close(self) -> None:
        if self._commit is not None:
            self._commit.close()
        self._readers.dispose()
        self._writer.dispose()


def _execute(connection: Connection, statement: str, values: Sequence[Any]) -> Any:
    driver: Any = connection.connection.driver_connection
    return driver.execute(statement, values).fetchone()


def _give_back(connection: Connection, pages: int) -> None:
    # It frees a page a step, so its steps have to be walked.
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()


def _reading(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA query_only=ON")


def _writing(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_size_limit=67108864")
