"""The inbox in PostgreSQL: for any number of machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from sqlalchemy import ColumnElement, Connection, Double, Table, cast, create_engine, event, func, literal, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from webhooks.inbox import insert_event, migrate
from webhooks.inbox.databases.errors import unavailable
from webhooks.inbox.databases.postgres_pool import Patient, Spares
from webhooks.inbox.databases.store import ACK_SECONDS, PARENT_CONNECTIONS, WRITE_SECONDS, Clock, Operation, Store

T = TypeVar("T")

POOL = 5
"""Connections a process for its workers; those for acknowledging and one that listens come on top."""
MIGRATION_LOCK = 0x7AB1EA0
MIGRATION_SECONDS = 900
CHANNEL = "inbox"
LISTEN_SECONDS = 1.0
CONNECTION = {
    "connect_timeout": 2,
    "application_name": "tableau-webhooks",
    # A connection that a firewall has dropped is noticed: https://www.postgresql.org/docs/current/libpq-connect.html
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PostgresStore(Store):
    """Autocommit insert on the acknowledgement path; PostgreSQL groups commits by itself.

    The database's clock is the clock: machines need not agree on the time.
    """

    placeholder = "%s"

    def __init__(self, url: URL, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._engine = create_engine(
            url, pool_size=POOL, max_overflow=0, pool_timeout=5, pool_recycle=1800, connect_args=CONNECTION
        )
        event.listen(self._engine, "do_connect", _connect)
        # A single SELECT needs no transaction around it: that would be three journeys for one.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        _, arguments = self._engine.dialect.create_connect_args(url)
        self._arguments: dict[str, Any] = {**arguments, **CONNECTION}
        # Connections of their own: an acknowledgement must not wait behind the workers.
        self._spares = Spares(self._connect)

    def after_fork(self) -> None:
        super().after_fork()
        PARENT_CONNECTIONS.extend([self._engine.pool, self._spares])
        self._engine.dispose(close=False)
        self._spares = Spares(self._connect)

    def _connect(self) -> Patient:
        return Patient.connect(**self._arguments, autocommit=True)

    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:
        def transaction() -> T:
            with self._engine.begin() as connection:
                return _within(connection, operation, timeout)

        self.ensure_ready()
        return _insistent(transaction)

    def insert_event(self, row: Sequence[Any]) -> tuple[int, int]:
        now, values = self.wall_sql()
        kept_id, duplicates = self.acknowledge(insert_event.upsert(self.placeholder, now), (*row, *values))
        return kept_id, duplicates

    def acknowledge(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        self.ensure_ready()
        return self._spares.run(statement, values, ACK_SECONDS)

    def read(self, operation: Operation[T]) -> T:
        def reading() -> T:
            with self._reading.connect() as connection:
                return _within(connection, operation, WRITE_SECONDS)

        self.ensure_ready()
        return _insistent(reading)

    def upsert(self, table: Table) -> postgresql.Insert:
        return postgresql.insert(table)

    def now_sql(self) -> ColumnElement[float]:
        if self._clock is not None:
            return literal(self._clock(), Double)
        # As a subquery it is asked once; the planner uses no index for a value that may change from row to row.
        return select(cast(func.extract("epoch", func.clock_timestamp()), Double)).scalar_subquery()

    def now(self, connection: Connection) -> float:
        return self._clock() if self._clock else float(connection.execute(select(self.now_sql())).scalar_one())

    def wall_sql(self) -> tuple[str, tuple[float, ...]]:
        return ("%s", (self._clock(),)) if self._clock else ("extract(epoch from clock_timestamp())", ())

    def revision(self) -> str | None:
        def look() -> str | None:
            with self._engine.connect() as connection:
                return migrate.revision(connection)

        return _insistent(look)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                _driver(connection).patience = MIGRATION_SECONDS
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                yield connection
        except SQLAlchemyError as error:
            raise unavailable(error) from error

    def size(self) -> int:
        return self.read(lambda c: int(c.execute(text("SELECT pg_database_size(current_database())")).scalar_one()))

    def listen(self, on_change: Callable[[], None], stopping: Callable[[], bool]) -> None:
        while not stopping():
            # Whatever goes wrong: the slow poll of the worker is the truth, the listener only saves it time.
            with suppress(psycopg.Error, OSError), self._connect() as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                on_change()
                while not stopping():
                    for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                        on_change()
            time.sleep(LISTEN_SECONDS if not stopping() else 0)

    def reclaim_space(self) -> None:
        """PostgreSQL cleans up by itself; after many rows went it need not wait for its turn."""
        connection = self._connect()
        try:
            connection.patience = MIGRATION_SECONDS
            connection.execute("VACUUM (ANALYZE) checkpoints, attempts, jobs, events")
        except psycopg.Error as error:
            raise unavailable(error) from error
        finally:
            connection.close()

    def close(self) -> None:
        self._engine.dispose()
        self._spares.close()


def _connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Patient:
    return Patient.connect(*arguments, **options)


def _driver(connection: Connection) -> Patient:
    driver = connection.connection.driver_connection
    assert isinstance(driver, Patient)
    return driver


def _within(connection: Connection, operation: Operation[T], seconds: float) -> T:
    _driver(connection).patience = seconds
    return operation(connection)


def _insistent(transaction: Callable[[], T]) -> T:
    """Once more when the pool's connection had gone stale, as after a restart of the database."""
    started = time.monotonic()
    try:
        try:
            return transaction()
        except DBAPIError as error:
            if not error.connection_invalidated or time.monotonic() - started > 1:
                raise
            return transaction()
    except SQLAlchemyError as error:
        failure = unavailable(error)
        if failure is error:
            raise
        raise failure from error
