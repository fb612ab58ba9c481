"""Connections for acknowledgements only, so that they do not wait for workers (docs/decisions/010-psycopg-pool.md)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.errors import can_pass, lost_session, unavailable
from webhooks.inbox.databases.postgres_connection import BoundedConnection

# Connections for each process, opened on demand: for new events, for duplicates, and for what is stored on its own.
SIZE = 3
# A connection is replaced after this time.
LIFETIME_SECONDS = 1800.0
# No statement begins with less time than this.
LEAST_SECONDS = 0.2
# While the database cannot be reached, callers wait this long for an attempt to connect, not for their whole timeout.
PROBE_SECONDS = 0.5

# The pool logs a line for each use of a connection, and during an outage for each attempt to connect.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class AcknowledgementPool:
    """A few connections that run one statement each, committed by itself; callers get a connection in turn."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = {**arguments, "autocommit": True}
        self._opening = threading.Lock()
        self._pool: ConnectionPool[BoundedConnection] | None = None
        self._closed = False
        # The error of the last attempt to connect; None if it succeeded.
        self._failure: Exception | None = None

    def execute(
        self, statement: str, values: Sequence[Any], timeout: float, *, rolled_back: bool = False
    ) -> list[tuple[Any, ...]]:
        """Return the rows that the statement returns. Raises StoreUnavailable.

        Raises psycopg's error for a mistake, and LockNotAvailable from a statement that limits its wait for locks.
        """
        deadline = time.monotonic() + timeout
        pool = self._pool or self._open()
        failure: Exception | None = None
        # After a restart or a fail-over all pooled connections are of no use, and each is found out by using it.
        for _ in range(SIZE + 1):
            connection = self._get(pool, deadline - LEAST_SECONDS - time.monotonic())
            try:
                connection.timeout = max(LEAST_SECONDS, deadline - time.monotonic())
                with connection.transaction(force_rollback=True) if rolled_back else nullcontext():
                    rows = connection.execute(statement, values).fetchall()
            except psycopg.errors.LockNotAvailable:
                raise
            except psycopg.Error as error:
                if lost_session(error):
                    connection.close()
                    failure = error
                elif can_pass(error):
                    raise unavailable(error) from error
                else:
                    raise
            else:
                return rows
            finally:
                pool.putconn(connection)
        assert failure is not None
        raise unavailable(failure)

    @property
    def unreachable(self) -> bool:
        """Return whether the last attempt to connect failed."""
        return self._failure is not None

    def close(self) -> None:
        """Close all connections; later calls raise StoreUnavailable."""
        with self._opening:
            self._closed = True
            if self._pool is not None:
                self._pool.close()

    def _open(self) -> ConnectionPool[BoundedConnection]:
        """Open the pool with its first use, because its threads would not survive a fork."""

        def record(failure: Exception | None) -> None:
            self._failure = failure

        class Connection(BoundedConnection):
            @classmethod
            def connect(cls, conninfo: str = "", **options: Any) -> Self:
                try:
                    connection = super().connect(conninfo, **options)
                except Exception as error:
                    record(error)
                    raise
                record(None)
                return connection

        with self._opening:
            if self._closed:
                raise StoreUnavailable("the inbox is closed")
            self._pool = self._pool or ConnectionPool(
                kwargs=self._arguments,
                connection_class=Connection,
                min_size=0,
                max_size=SIZE,
                max_lifetime=LIFETIME_SECONDS,
                # An attempt that fails is repeated by the next caller.
                reconnect_timeout=0.0,
                num_workers=1,
                open=True,
                name="acknowledgements",
            )
            return self._pool

    def _get(self, pool: ConnectionPool[BoundedConnection], timeout: float) -> BoundedConnection:
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                return pool.getconn(min(left, PROBE_SECONDS))
            except PoolTimeout as error:
                if self._failure is not None or left <= PROBE_SECONDS:
                    reason = self._failure or f"all {SIZE} connections are busy"
                    raise StoreUnavailable(" ".join(str(reason).split())) from error
            except psycopg.OperationalError as error:
                raise StoreUnavailable("the inbox is closed") from error
