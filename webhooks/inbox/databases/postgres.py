"""The inbox in PostgreSQL, for any number of machines."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, TypeVar

import psycopg
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Table,
    cast,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError

from webhooks.inbox import migrate
from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.batched_inserts import BatchedInserts, PendingInsert
from webhooks.inbox.databases.errors import lost_session, translated
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.postgres_connection import BoundedConnection
from webhooks.inbox.databases.postgres_pool import AcknowledgementPool
from webhooks.inbox.databases.store import ACK_SECONDS, PARENT_CONNECTIONS, WRITE_SECONDS, Clock, Operation, Row, Store
from webhooks.inbox.jobs.attempt_sql import JOB_COLUMNS, AttemptEnd, own, postgres_end, postgres_start, postgres_values
from webhooks.inbox.limits.limit_sql import Rate, postgres_take
from webhooks.job import Job

T = TypeVar("T")

# Connections of each process for pages and its worker; those for acknowledgements and the one that listens are extra.
POOL_SIZE = 4
# Of a worker with many threads, for each process whose jobs it runs.
MOST_FOR_JOBS = 5
# A failed operation is repeated only if it failed this fast, as with a connection that has gone stale.
REPEAT_SECONDS = 1.0
MIGRATION_LOCK = 0x7AB1EA0
# Advisory locks with two keys are apart from those with one.
SERIALIZED = 0x7AB1EA1
MIGRATION_SECONDS = 900.0
CHANNEL = "inbox"
LISTEN_SECONDS = 1.0
CONNECTION = {
    "connect_timeout": 2,
    "application_name": "tableau-webhooks",
    # Detect connections that a firewall has dropped, https://www.postgresql.org/docs/current/libpq-connect.html
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Statements that follow a lock have to see what was committed before it.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
NOW = "extract(epoch from clock_timestamp())::double precision"
# For this transaction only: without bitmaps, the index is read in its order, which needs no sorting.
BEGIN_CLAIM = f"SELECT coalesce(%s::double precision, {NOW}) FROM set_config('enable_bitmapscan', 'off', true)"  # noqa: S608 - no values
SERIALIZE = "SELECT count(pg_advisory_xact_lock(%s, key)) FROM unnest(%s::int[]) AS key"


class PostgresStore(Store):
    """Events that wait are acknowledged by one autocommitted INSERT; other writes are transactions of their own.

    The database's clock is used, so that machines need not agree on the time.
    """

    placeholder = "%s"
    claims_at_end = True
    # A generated id needs the right to use the sequence. One that is not used up leaves no gap in the ids.
    given_id = (
        "CASE WHEN has_sequence_privilege(pg_get_serial_sequence('events', 'id'), 'USAGE') THEN %s "
        "ELSE nextval(pg_get_serial_sequence('events', 'id')) END"
    )

    def __init__(self, url: URL, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock
        # The monotonic time at which the last session was found to be lost: older ones are probably lost as well.
        self._lost_at = 0.0
        self._url, self._size = url, POOL_SIZE
        self._engine = self._create_engine()
        _, arguments = self._engine.dialect.create_connect_args(url)
        # After a fail-over the old primary may still accept connections.
        self._arguments: dict[str, Any] = {"target_session_attrs": "read-write", **arguments, **CONNECTION}
        self._acknowledging = AcknowledgementPool(self._arguments)
        self._inserts = BatchedInserts(self._acknowledging, self.ensure_ready, self.wall_sql)

    def _create_engine(self) -> Engine:
        # A single statement needs no transaction around it, which would take two round trips more.
        engine = create_engine(
            self._url,
            pool_size=self._size,
            max_overflow=0,
            pool_timeout=5,
            pool_recycle=1800,
            isolation_level="AUTOCOMMIT",
        )

        @event.listens_for(engine, "do_connect")
        def connect(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> Any:
            return BoundedConnection.connect(**{**options, **self._arguments}, autocommit=True)

        @event.listens_for(engine, "handle_error")
        def mark_lost_session(context: ExceptionContext) -> None:
            # Also when the server has become read-only.
            if lost_session(context.original_exception):
                context.is_disconnect = True

        @event.listens_for(engine, "invalidate")
        def note_loss(_driver: object, _record: object, error: BaseException | None) -> None:
            if error is not None and lost_session(error):
                self._lost_at = time.monotonic()

        return engine

    def allow_connections(self, threads: int, processes: int) -> None:
        size = max(POOL_SIZE, min(threads, MOST_FOR_JOBS * processes))
        if size > self._size:
            self._size, old = size, self._engine
            self._engine = self._create_engine()
            # Those in use are closed when they are returned.
            old.dispose()

    def after_fork(self) -> None:
        super().after_fork()
        PARENT_CONNECTIONS.extend([self._engine.pool, self._acknowledging])
        self._engine.dispose(close=False)
        self._acknowledging = AcknowledgementPool(self._arguments)
        self._inserts = BatchedInserts(self._acknowledging, self.ensure_ready, self.wall_sql)

    def read(self, operation: Operation[T]) -> T:
        def query() -> T:
            with self._connection(WRITE_SECONDS) as connection:
                return operation(connection)

        self.ensure_ready()
        return _run(query)

    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:
        def transaction() -> T:
            with self._transaction(timeout) as connection:
                return operation(connection)

        self.ensure_ready()
        return _run(transaction)

    def upsert(self, table: Table) -> postgresql.Insert:
        return postgresql.insert(table)

    def serialize(self, connection: Connection, names: Iterable[str]) -> None:
        """Hold advisory locks until the end of the transaction, in an order that excludes deadlocks."""
        if keys := _lock_keys(names):
            raw_sql.run(connection, SERIALIZE, (SERIALIZED, keys))

    def take_if_free(self, rates: Sequence[Rate]) -> bool:
        now, times = self.wall_sql()
        statement = postgres_take(now, len(rates))
        locks = _lock_keys(one.key for one in rates)
        values = (*chain.from_iterable(rates), SERIALIZED, *locks, *times)
        taken, added = self.run(statement, values)
        if added:
            taken, _ = self.run(statement, values)
        return bool(taken)

    def begin_insert(
        self, row: Sequence[Any], on_complete: Callable[[], None] | None = None
    ) -> PendingWrite[tuple[int, int]]:
        pending = PendingInsert(row, ACK_SECONDS, on_complete)
        self._inserts.begin(pending)
        return pending

    def start_attempt(self, job: Job) -> float | None:
        now, values = self.wall_sql()
        row = self.run(postgres_start(now), (*values, *own(job)))
        return row[0] if row else None

    def end_attempt(
        self, end: AttemptEnd, then: Callable[[Connection, float], None] | None = None
    ) -> tuple[bool, float | None]:
        now, values = self.wall_sql()
        statement, values = postgres_end(now, checkpoints=bool(end.checkpoints)), (*values, *postgres_values(end))
        if then is None:
            _, ended, started_at = self.run(statement, values)
            return ended, started_at

        def run(connection: Connection) -> tuple[bool, float | None]:
            at, ended, started_at = raw_sql.run(connection, statement, values).fetchone()
            if ended:
                then(connection, at)
            return ended, started_at

        return self.write(run)

    def end_and_claim(
        self,
        end: AttemptEnd,
        lease: float,
        claim: Callable[[Connection, float], Sequence[Row]],  # noqa: ARG002 - the statement claims
    ) -> tuple[bool, Row | None]:
        """Do the same with one round trip; the job of a dead worker is left to `claim` elsewhere."""
        now, values = self.wall_sql()
        statement = postgres_end(now, checkpoints=bool(end.checkpoints), claim=True)
        _, ended, _, *claimed = self.run(statement, (*values, *postgres_values(end), end.job.owner, lease))
        job = dict(zip(JOB_COLUMNS, claimed, strict=True))
        return ended, job if job["id"] is not None else None

    def acknowledge(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        self.ensure_ready()
        return self._acknowledging.execute(statement, values, ACK_SECONDS)[0]

    def rehearse(self, statement: str, values: Sequence[Any]) -> None:
        self.ensure_ready()
        self._acknowledging.execute(statement, values, ACK_SECONDS, rolled_back=True)

    def run(self, statement: str, values: tuple[Any, ...]) -> Any:
        """Do the same on the driver's connection, as SQLAlchemy needs as much processor time as all the rest."""
        return self.read(lambda connection: raw_sql.run(connection, statement, values).fetchone())

    def now_sql(self) -> ColumnElement[float]:
        if self._clock is not None:
            return literal(self._clock(), Double)
        # As a subquery it is evaluated once; the planner uses no index for a value that may change from row to row.
        return select(cast(func.extract("epoch", func.clock_timestamp()), Double)).scalar_subquery()

    def now(self, connection: Connection) -> float:
        return self._clock() if self._clock else float(raw_sql.run(connection, f"SELECT {NOW}", ()).fetchone()[0])

    def begin_claim(self, connection: Connection) -> float:
        """Do the same with one round trip.

        The statistics of a table that has had no backlog let PostgreSQL expect a few due jobs: it would read and sort
        all of them with their events for each claim, instead of the first ones in the order of the index.
        """
        clock = self._clock() if self._clock else None
        return float(raw_sql.run(connection, BEGIN_CLAIM, (clock,)).fetchone()[0])

    def wall_sql(self) -> tuple[str, tuple[float, ...]]:
        if self._clock:
            return "%s::double precision", (self._clock(),)
        return NOW, ()

    def due_sql(self) -> tuple[str, tuple[float, ...]]:
        # As in `now_sql`.
        now, values = self.wall_sql()
        return f"(SELECT {now})", values

    def revision(self) -> str | None:
        def query() -> str | None:
            with self._connection(WRITE_SECONDS) as connection:
                return migrate.revision(connection)

        return _run(query)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with translated(), self._transaction(MIGRATION_SECONDS) as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            yield connection

    def size(self) -> int:
        return int(self.scalar(select(self.size_sql())))

    def size_sql(self) -> ColumnElement[int]:
        return func.pg_database_size(func.current_database(), type_=BigInteger)

    def listen(self, on_change: Callable[[], None], stopping: Callable[[], bool]) -> None:
        while not stopping():
            # Errors are ignored: the worker polls as well, this only saves it time.
            with suppress(psycopg.Error, OSError), self._connect() as connection:
                if connection.pooled:
                    return  # notifications do not pass through a pooler
                connection.execute(f"LISTEN {CHANNEL}")
                on_change()
                while not stopping():
                    for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                        on_change()
            if not stopping():
                time.sleep(LISTEN_SECONDS)

    def reclaim_space(self) -> None:
        """Let PostgreSQL reuse the space of deleted rows now instead of at the next autovacuum."""
        with translated(), self._connect() as connection:
            connection.timeout = MIGRATION_SECONDS
            connection.execute("VACUUM (ANALYZE) checkpoints, attempts, jobs, events")

    def close(self) -> None:
        # First, because its threads use the others.
        self._inserts.close()
        self._acknowledging.close()
        self._engine.dispose()

    @contextmanager
    def _connection(self, timeout: float) -> Iterator[Connection]:
        """Yield a connection of the pool for statements that commit themselves and may take `timeout` seconds each."""
        with self._engine.connect() as connection:
            while (driver := _driver(connection)).opened_at < self._lost_at:
                connection.invalidate()
            driver.timeout = timeout
            yield connection

    @contextmanager
    def _transaction(self, timeout: float) -> Iterator[Connection]:
        """Yield a connection in a transaction, and commit it unless an error is raised."""
        # SQLAlchemy begins nothing in autocommit mode; but after a loss it opens no other session within `begin`, where
        # the rest of the operation would be committed without its beginning.
        with self._connection(timeout) as connection, connection.begin():
            raw_sql.run(connection, BEGIN, ())
            yield connection

    def _connect(self) -> BoundedConnection:
        return BoundedConnection.connect(**self._arguments, autocommit=True)


def _lock_keys(names: Iterable[str]) -> list[int]:
    return sorted(zlib.crc32(name.encode()) - 2**31 for name in names)


def _driver(connection: Connection) -> BoundedConnection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, BoundedConnection)
    return driver


def _run(operation: Callable[[], T]) -> T:
    """Run the operation; repeat it once if its connection was stale, for example after a restart of the database."""
    started = time.monotonic()
    with translated():
        try:
            return operation()
        except (DBAPIError, psycopg.Error) as error:
            if not lost_session(error) or time.monotonic() - started > REPEAT_SECONDS:
                raise
            return operation()
