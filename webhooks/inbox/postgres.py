"""The inbox in PostgreSQL: for any number of machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Double, Engine, cast, create_engine, func, literal, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from webhooks.inbox.commit import unavailable
from webhooks.inbox.store import ACK_SECONDS, WRITE_SECONDS, Clock, Operation, Store

T = TypeVar("T")

POOL = 5
"""Connections a process; small plans allow 20 in all."""
MIGRATION_LOCK = 0x7AB1EA0
CHANNEL = "inbox"


class PostgresStore(Store):
    """Autocommit insert on the acknowledgement path; PostgreSQL groups commits by itself.

    The database's clock is the clock: machines need not agree on the time.
    """

    placeholder = "%s"

    def __init__(self, url: URL, clock: Clock | None = None) -> None:
        self._clock = clock
        self._engine = _engine(url, WRITE_SECONDS)
        # A pool of its own: an acknowledgement must not wait behind the workers.
        self._acknowledging = _engine(url, ACK_SECONDS, isolation_level="AUTOCOMMIT")

    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T:  # noqa: ARG002
        def transaction() -> T:
            with self._engine.begin() as connection:
                return operation(connection)

        return _insistent(transaction)

    def insert(self, operation: Operation[T], *, timeout: float = ACK_SECONDS) -> T:  # noqa: ARG002
        def statement() -> T:
            with self._acknowledging.connect() as connection:
                return operation(connection)

        return _insistent(statement)

    def read(self, operation: Operation[T]) -> T:
        def reading() -> T:
            with self._engine.connect() as connection:
                return operation(connection)

        return _insistent(reading)

    def now(self) -> ColumnElement[float]:
        if self._clock is not None:
            return literal(self._clock(), Double)
        return cast(func.extract("epoch", func.clock_timestamp()), Double)

    def seconds(self, connection: Connection) -> float:
        return self._clock() if self._clock else float(connection.execute(select(self.now())).scalar_one())

    def stamp(self) -> tuple[str, tuple[float, ...]]:
        return ("?", (self._clock(),)) if self._clock else ("extract(epoch from clock_timestamp())", ())

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            connection.execute(select_lock)
            yield connection

    def size(self) -> int:
        return self.read(lambda c: int(c.execute(text("SELECT pg_database_size(current_database())")).scalar_one()))

    def listen(self, heard: Callable[[], None], stopping: Callable[[], bool]) -> None:
        while not stopping():
            try:
                self._listen_once(heard, stopping)
            except (SQLAlchemyError, OSError):
                # The slow poll of the worker is the truth; the listener only saves it time.
                time.sleep(1)

    def _listen_once(self, heard: Callable[[], None], stopping: Callable[[], bool]) -> None:
        connection = self._engine.raw_connection()
        try:
            driver = connection.driver_connection
            assert driver is not None
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            while not stopping():
                for _ in driver.notifies(timeout=1, stop_after=1):
                    heard()
        finally:
            connection.invalidate()

    def close(self) -> None:
        self._engine.dispose()
        self._acknowledging.dispose()


def _engine(url: URL, statement_seconds: float, **options: Any) -> Engine:
    arguments = {
        "connect_timeout": 2,
        "application_name": "tableau-webhooks",
        "options": f"-c statement_timeout={int(statement_seconds * 1000)}",
    }
    return create_engine(
        url,
        pool_size=POOL,
        max_overflow=0,
        pool_timeout=ACK_SECONDS,
        pool_recycle=1800,
        connect_args=arguments,
        **options,
    )


select_lock = text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def _insistent(transaction: Callable[[], T]) -> T:
    """Once more when the pool's connection had gone stale, as after a restart of the database."""
    try:
        try:
            return transaction()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return transaction()
    except (SQLAlchemyError, PoolTimeout) as error:
        raise unavailable(error) from error
