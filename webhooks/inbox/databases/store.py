"""The interface between the inbox and its database: reads, writes, transactions, clocks and migrations."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from sqlalchemy import BigInteger, ColumnElement, Connection, Executable, RowMapping, Table, literal

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.jobs.attempt_sql import AttemptEnd
from webhooks.inbox.limits.limit_sql import Rate
from webhooks.job import Job
from webhooks.observability.redaction import Redactor

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Operation = Callable[[Connection], T]
Row = Mapping[str, Any]
# Returns seconds since 1970, UTC.
Clock = Callable[[], float]
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

# Tableau gives up after 3 s; an event that is not committed by then is refused with 503.
ACK_SECONDS = 2.0
WRITE_SECONDS = 30.0

OPEN_STORES: WeakSet[Store] = WeakSet()
# The parent process's connections. A child must not garbage-collect them: that would close them for the parent.
PARENT_CONNECTIONS: list[object] = []


def _after_fork() -> None:
    for store in list(OPEN_STORES):
        store.after_fork()


# A server that loads the application before it forks may have used the inbox by then.
os.register_at_fork(after_in_child=_after_fork)


class Store(ABC):
    """One open database. `read` and `write` run a function with a connection and return its result.

    An operation may be repeated after a failure, so it must contain nothing but SQL. All methods raise StoreUnavailable
    when the database does not respond within the timeout.

    There are two clocks. Leases and due times use `now`, which never jumps; times that people read use the wall clock
    (`to_wall`).
    """

    # The driver's own placeholder for a value, for the few statements that are written by hand.
    placeholder: str
    # The SQL of an event's id, with one placeholder, that needs the same rights as a generated id.
    given_id: str

    # Migrates the schema; called once, before the first read or write that reaches the database.
    prepare: Callable[[], None] = staticmethod(lambda: None)
    # Whether this process may reset leases after a reboot; a command that only reads must not.
    may_start_clock = True
    # Whether this process may create the database.
    may_create = True

    # Whether `end_and_claim` claims with one statement, so that nothing is known of a claim whose outcome is unknown.
    claims_at_end = False

    # Masks secrets in the errors that are stored; services contribute them.
    redact: Redactor = Redactor(())

    def __init__(self) -> None:
        self._ready = False
        self._preparing = threading.Lock()
        OPEN_STORES.add(self)

    def after_fork(self) -> None:
        """Replace the parent's connections, threads and locks in a child process, without touching the parent's."""
        self._preparing = threading.Lock()

    def allow_connections(self, threads: int, processes: int) -> None:  # noqa: B027 - SQLite needs no more
        """Allow a worker that has the threads of several processes as many connections as they would have."""

    def ensure_ready(self) -> None:
        """Prepare the database unless that is done; a server may start before its database does."""
        if self._ready:
            return
        if not self._preparing.acquire(timeout=ACK_SECONDS / 2):
            raise StoreUnavailable("the database has not been reached yet")
        try:
            if not self._ready:
                self.prepare()
                self._ready = True
        finally:
            self._preparing.release()

    @abstractmethod
    def read(self, operation: Operation[T]) -> T:
        """Run queries on a connection and return the operation's result."""

    @abstractmethod
    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:
        """Run the operation in a transaction, commit it and return its result."""

    def rows(self, query: Executable, parameters: Parameters = None) -> Sequence[RowMapping]:
        """Return all rows of the query."""
        return self.read(lambda connection: connection.execute(query, parameters).mappings().all())

    def scalar(self, query: Executable, parameters: Parameters = None) -> Any:
        """Return the first column of the first row, or None if there is no row."""
        return self.read(lambda connection: connection.execute(query, parameters).scalar())

    def execute(self, statement: Executable, parameters: Parameters = None) -> int:
        """Commit one statement and return the number of rows it matched."""
        return self.write(lambda connection: connection.execute(statement, parameters).rowcount)

    @abstractmethod
    def upsert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Return an INSERT into the table that may continue with ON CONFLICT."""

    @abstractmethod
    def serialize(self, connection: Connection, names: Iterable[str]) -> None:
        """Within a transaction, wait for other transactions that gave one of these names, and let later ones wait."""

    def take_if_free(self, rates: Sequence[Rate]) -> bool:  # noqa: ARG002 - see PostgresStore
        """Count a call against all limits if that is possible with one statement and all are free.

        Returns False if nothing was counted, also because another transaction was faster.
        """
        return False

    @abstractmethod
    def begin_insert(
        self, row: Sequence[Any], on_complete: Callable[[], None] | None = None
    ) -> PendingWrite[tuple[int, int]]:
        """Let an event wait for its commit, and return the write: its result is the event's id and its duplicates.

        `row` has the values of `insert_event.COLUMNS` without the last one, the time. Errors are raised by the write.
        This never waits for the database, also if it is not open yet: another thread opens it.
        """

    @abstractmethod
    def start_attempt(self, job: Job) -> float | None:
        """Commit the start of a claimed job, and return when it was; None if another worker has the job by now."""

    @abstractmethod
    def end_attempt(
        self, end: AttemptEnd, then: Callable[[Connection, float], None] | None = None
    ) -> tuple[bool, float | None]:
        """Commit the end of an attempt.

        Returns whether the job belonged to its worker, and when the following job started. `then` runs in the same
        transaction, with the connection and the time.
        """

    def end_and_claim(
        self,
        end: AttemptEnd,
        lease: float,  # noqa: ARG002 - see PostgresStore
        claim: Callable[[Connection, float], Sequence[Row]],
    ) -> tuple[bool, Row | None]:
        """Commit the end of an attempt together with the claim of a due job, which its worker gets for `lease` seconds.

        Returns whether the ended job belonged to its worker, and the row of the claimed one, if there is one. `claim`
        claims it in a transaction, with the connection and the time.
        """
        claimed: Sequence[Row] = ()

        def then(connection: Connection, now: float) -> None:
            nonlocal claimed
            claimed = claim(connection, now)

        ended, _ = self.end_attempt(end, then)
        return ended, next(iter(claimed), None)

    @abstractmethod
    def run(self, statement: str, values: tuple[Any, ...]) -> Any:
        """Commit one statement written by hand, with one round trip, and return its first row, or None."""

    @abstractmethod
    def acknowledge(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Commit one statement on the acknowledgement path and return the row that it returns."""

    @abstractmethod
    def rehearse(self, statement: str, values: Sequence[Any]) -> None:
        """Run a statement on the acknowledgement path and roll it back. Raises what `acknowledge` would raise."""

    @abstractmethod
    def now_sql(self) -> ColumnElement[float]:
        """Return an expression for the time by the clock that all users of this database share."""

    @abstractmethod
    def now(self, connection: Connection) -> float:
        """Return that time as a number, for several statements that have to agree on it."""

    def begin_claim(self, connection: Connection) -> float:
        """Return the time, and prepare the transaction for reading the first due jobs of a large backlog."""
        return self.now(connection)

    def to_wall(self, now: float) -> float:
        """Return the wall clock's time at `now`."""
        return now

    @abstractmethod
    def wall_sql(self) -> tuple[str, tuple[float, ...]]:
        """Return the wall clock's time for a statement written by hand: its text and its values."""

    @abstractmethod
    def due_sql(self) -> tuple[str, tuple[float, ...]]:
        """Return the time of `now` for a statement written by hand: its text and its values."""

    def exists(self) -> bool:
        """Return whether there is a database, without creating one."""
        return True

    @abstractmethod
    def revision(self) -> str | None:
        """Return the revision of the schema; None for an empty database."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """Return a connection in a transaction that excludes migrations by other processes."""

    @abstractmethod
    def size(self) -> int:
        """Return the size of the database in bytes."""

    def size_sql(self) -> ColumnElement[int]:
        """Return an expression for that size, to be read together with other values."""
        return literal(self.size(), BigInteger)

    @abstractmethod
    def listen(self, on_change: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Call `on_change` soon after another process commits, until `stopping()` is true.

        This is a hint that saves time; callers must poll as well.
        """

    @abstractmethod
    def reclaim_space(self) -> None:
        """Return the disk space of deleted rows in small steps, while other threads and processes work."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
