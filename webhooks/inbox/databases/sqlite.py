"""The inbox in a SQLite file, for one machine and without installation."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Double, Table, create_engine, event, literal, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from webhooks.errors import StoreUnavailable
from webhooks.inbox import migrate
from webhooks.inbox.databases import sqlite_clock
from webhooks.inbox.databases.errors import translated
from webhooks.inbox.databases.group_commit import GroupCommit, locked_soon, open_lock
from webhooks.inbox.databases.known_database import KnownDatabase
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.sqlite_files import BUSY_SECONDS, SqliteFiles, uri
from webhooks.inbox.databases.sqlite_use import SQLITE
from webhooks.inbox.databases.store import ACK_SECONDS, PARENT_CONNECTIONS, WRITE_SECONDS, Clock, Operation, Store
from webhooks.inbox.events import insert_event
from webhooks.inbox.jobs.attempt_sql import AttemptEnd, sqlite_end, sqlite_start
from webhooks.job import Job

T = TypeVar("T")

BUSY_MILLISECONDS = int(1000 * BUSY_SECONDS)
# Between checks for commits of other processes; a check takes 20 µs.
LISTEN_SECONDS = 0.015
# Between checks whether another program has changed the files, while nothing is written; each commit checks as well.
VERIFY_SECONDS = 0.15
# Each batch size is a statement of its own, and a large one takes 60 kB.
CACHED_STATEMENTS = 64
VACUUM_PAGES = 256
VACUUM_PAUSE_SECONDS = 0.02
# The driver raises an error for a query with one damaged text in it.
TEXT = partial(str, encoding="utf-8", errors="replace")


class SqliteStore(Store):
    """A write-ahead log; a write returns when it is on disk. Not for network file systems.

    `synchronous=FULL` holds for all connections except that of the group commit, which syncs the log itself.

    `wall` replaces the machine's wall clock in tests; `clock` replaces both clocks. `known` is what other processes of
    the same server know about the file.
    """

    placeholder = "?"
    given_id = "?"

    def __init__(
        self, url: URL, clock: Clock | None = None, wall: Clock = time.time, known: KnownDatabase | None = None
    ) -> None:
        super().__init__()
        if not url.database or url.database == ":memory:":
            raise RuntimeError(
                "DATABASE_URL: an inbox in memory is lost with the process; name a file, for example "
                "sqlite:///data/inbox.sqlite3"
            )
        self._path = Path(url.database.removeprefix("file:"))
        self._known = known
        self._files = SqliteFiles(self._path, known)
        self._lock_file = self._path.with_name(self._path.name + ".lock")
        self._wall = clock or wall
        self._fixed = clock
        self._offset: float | None = None
        self._readers = create_engine(url, pool_size=5, max_overflow=20, pool_timeout=5)
        options = {"cached_statements": CACHED_STATEMENTS}
        self._writer = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        for engine in (self._readers, self._writer):
            event.listen(engine, "do_connect", self._do_connect)

        @event.listens_for(self._readers, "connect")
        def configure_reader(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
            connection.execute("PRAGMA query_only=ON")
            connection.text_factory = TEXT

        @event.listens_for(self._writer, "connect")
        def configure_writer(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_size_limit=67108864")
            connection.text_factory = TEXT

        self._starting, self._watching = threading.Lock(), threading.Lock()
        self._commit: GroupCommit | None = None

    def after_fork(self) -> None:
        super().after_fork()
        PARENT_CONNECTIONS.extend([self._readers.pool, self._commit, self._files.anchor])
        self._readers.dispose(close=False)
        self._files = SqliteFiles(self._path, self._known, forked=True)
        self._starting, self._watching = threading.Lock(), threading.Lock()
        if self._commit is not None:
            self._commit.after_fork()
        self._commit = None

    def ensure_ready(self) -> None:
        super().ensure_ready()
        if self._files.anchor is None:
            with self._watching, SQLITE, translated():
                if self._files.anchor is None:
                    self._files.watch()
        if self._offset is None and self._fixed is None and sqlite_clock.boot_id():
            with self._connected() as connection, SQLITE:
                self._offset = sqlite_clock.offset(connection)
            if self._offset is None and self.may_start_clock:
                with self.migrating() as connection:
                    self._offset = sqlite_clock.start(connection, self._wall())

    def read(self, operation: Operation[T]) -> T:
        self.ensure_ready()
        with translated():
            try:
                with SQLITE, self._readers.connect() as connection:
                    return operation(connection)
            except Exception:
                # The error may be due to other files than those that were opened.
                self._files.verify()
                raise

    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:
        return (self._commit or self._start()).write(operation, timeout)

    def upsert(self, table: Table) -> sqlite.Insert:
        return sqlite.insert(table)

    def serialize(self, connection: Connection, names: Iterable[str]) -> None:
        """Do nothing: SQLite runs one transaction that writes at a time."""

    def begin_insert(
        self, row: Sequence[Any], on_complete: Callable[[], None] | None = None
    ) -> PendingWrite[tuple[int, int]]:
        values = (*row, self._wall())

        def insert(connection: Connection) -> tuple[int, int]:
            event_id, duplicates = _execute(connection, insert_event.upsert("?", "?"), values)
            return event_id, duplicates

        pending = PendingWrite(insert, ACK_SECONDS, values, on_complete)
        try:
            commit = self._commit or self._start()
        except StoreUnavailable as error:
            pending.fail(error)
        else:
            commit.begin(pending)
        return pending

    def start_attempt(self, job: Job) -> float | None:
        def start(connection: Connection) -> float | None:
            return sqlite_start(_driver(connection), job, self.to_wall(self._now()))

        return self.write(start)

    def end_attempt(
        self, end: AttemptEnd, then: Callable[[Connection, float], None] | None = None
    ) -> tuple[bool, float | None]:
        def run(connection: Connection) -> tuple[bool, float | None]:
            now = self._now()
            ended, started_at = sqlite_end(_driver(connection), end, now, self.to_wall(now))
            if ended and then is not None:
                then(connection, now)
            return ended, started_at

        return self.write(run)

    def run(self, statement: str, values: tuple[Any, ...]) -> Any:
        return self.write(lambda connection: _execute(connection, statement, values))

    def acknowledge(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        return self.write(lambda connection: _execute(connection, statement, values), timeout=ACK_SECONDS)

    def rehearse(self, statement: str, values: Sequence[Any]) -> None:
        def rehearse(connection: Connection) -> None:
            _execute(connection, "SAVEPOINT rehearsal", ())
            _execute(connection, statement, values)
            _execute(connection, "ROLLBACK TO rehearsal", ())
            _execute(connection, "RELEASE rehearsal", ())

        self.write(rehearse, timeout=ACK_SECONDS)

    def now_sql(self) -> ColumnElement[float]:
        return literal(self._now(), Double)

    def now(self, connection: Connection) -> float:  # noqa: ARG002 - the clock is on this machine
        return self._now()

    def to_wall(self, now: float) -> float:
        return now if self._offset is None else now + (self._wall() - self._now())

    def wall_sql(self) -> tuple[str, tuple[float, ...]]:
        return "?", (self._wall(),)

    def due_sql(self) -> tuple[str, tuple[float, ...]]:
        return "?", (self._now(),)

    def exists(self) -> bool:
        return self._path.exists()

    def revision(self) -> str | None:
        with self._connected() as connection, SQLITE:
            return migrate.revision(connection)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self._connected() as connection, open_lock(self._lock_file) as lock, locked_soon(lock), SQLITE:
            # Only effective in an empty file: the space of deleted rows can then be returned in small steps.
            connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.exec_driver_sql("COMMIT")

    def size(self) -> int:
        files = (self._path.with_name(self._path.name + suffix) for suffix in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def listen(self, on_change: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Watch SQLite's counter of commits by other connections."""
        # https://sqlite.org/pragma.html#pragma_data_version
        while not stopping():
            with suppress(Exception), self._connected() as connection:
                query = _driver(connection).cursor().execute
                seen, verified_at = None, 0.0
                while not stopping():
                    # Damage is also found by processes to which no event comes.
                    if (now := time.monotonic()) > verified_at + VERIFY_SECONDS:
                        verified_at = now
                        with suppress(StoreUnavailable):
                            self._files.verify()
                    with SQLITE:
                        version = query("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        on_change()
                    time.sleep(LISTEN_SECONDS)
            time.sleep(LISTEN_SECONDS)

    def reclaim_space(self) -> None:
        """Return free pages a few at a time, then truncate the write-ahead log."""

        def vacuum(connection: Connection) -> None:
            # It frees one page for each row that is fetched.
            _driver(connection).execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()

        self.write(vacuum)
        while self.scalar(text("PRAGMA auto_vacuum")) and self.scalar(text("PRAGMA freelist_count")):
            time.sleep(VACUUM_PAUSE_SECONDS)
            self.write(vacuum)
        with self._connected() as connection, SQLITE:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()

    def close(self) -> None:
        if self._commit is not None:
            self._commit.close()
        with suppress(StoreUnavailable), SQLITE:
            self._readers.dispose()
            self._writer.dispose()
        self._files.close()

    def _start(self) -> GroupCommit:
        """Start the writer with the first write, because threads do not survive a fork.

        It opens the database as well: that may take longer than an event may wait. Raises StoreUnavailable.
        """
        with self._starting:
            if self._commit is None:
                connect = self._writer.connect
                try:
                    self._commit = GroupCommit(connect, self._lock_file, self._files, self.ensure_ready)
                except RuntimeError as error:
                    # The system lets this process start no more threads now.
                    raise StoreUnavailable(str(error)) from error
            return self._commit

    def _now(self) -> float:
        return self._wall() if self._offset is None else time.monotonic() + self._offset

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Open a connection on which each statement is committed by itself, for use with SQLITE.

        Raises StoreUnavailable.
        """
        with translated():
            if not self._ready:
                self._files.require_unchanged()
                if self.may_create:
                    self._files.create()
            try:
                with SQLITE:
                    connection = self._writer.connect()
                try:
                    yield connection
                finally:
                    with SQLITE:
                        connection.close()
            except UnicodeDecodeError as error:
                # The driver's message contains a part of the damaged file.
                raise StoreUnavailable(f"{self._path} is damaged: {error}") from error

    def _do_connect(self, _dialect: object, _record: object, arguments: Any, options: dict[str, Any]) -> Any:
        """Open a connection that creates no file once the inbox is in use; an address of the user's is not changed."""
        if options.get("uri"):
            return None
        (path,) = arguments
        return sqlite3.connect(uri(Path(path), create=self.may_create and not self._ready), **{**options, "uri": True})


def _execute(connection: Connection, statement: str, values: Sequence[Any]) -> Any:
    return _driver(connection).execute(statement, values).fetchone()


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
