"""A connection to PostgreSQL that no statement can block for longer than its timeout."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus

READ_COMMITTED = "read committed"
# Without it, PostgreSQL does not notice that a connection is closed while its statement waits for a lock, and keeps the
# session. See https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
CHECK_CLIENT = "SET client_connection_check_interval = '1s'"


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that closes itself when the server does not respond within `timeout` seconds.

    The server's own `statement_timeout` does not help if the server is stopped or cut off.
    """

    timeout = 30.0
    # Whether a connection pooler such as PgBouncer is between this process and PostgreSQL.
    pooled = False
    # When it was opened, by the monotonic clock.
    opened_at = 0.0

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Open a connection, and use no prepared statements on it if it leads through a pooler.

        In PgBouncer's transaction mode each transaction may use another session, where a statement that was prepared
        before does not exist, https://www.pgbouncer.org/features.html. A pooler accepts a connection before it has one
        to PostgreSQL, so `connect_timeout` holds for the first response as well.
        """
        began = time.monotonic()
        connection = super().connect(conninfo, **options)
        connection.opened_at = began
        connection.timeout = float(options.get("connect_timeout", cls.timeout))
        try:
            query = "SELECT pg_backend_pid(), current_setting('default_transaction_isolation')"
            pid, isolation = connection.execute(query).fetchone() or (None, READ_COMMITTED)
            connection.rollback()
            # A pooler sends a random number, because the session's process can change.
            connection.pooled = pid != connection.info.backend_pid
            # Behind a pooler, other clients would get the settings as well.
            if not connection.pooled:
                connection.configure(isolation)
        except BaseException:
            connection.close()
            raise
        connection.timeout = cls.timeout
        if connection.pooled:
            connection.prepare_threshold = None
        return connection

    def configure(self, isolation: str) -> None:
        """Change the session's settings; `isolation` is its default isolation level."""
        # Statements that wait for others have to go on with what these have committed, instead of failing.
        if isolation != READ_COMMITTED:
            self.execute(f"SET default_transaction_isolation = '{READ_COMMITTED}'")
        # Before version 14, and on some systems, PostgreSQL cannot do this.
        with suppress(psycopg.ProgrammingError, psycopg.DataError):
            self.execute(CHECK_CLIENT)

    def rollback(self) -> None:
        """Do the same; without a transaction it does nothing, which takes psycopg longer than asking."""
        if self.info.transaction_status is not TransactionStatus.IDLE:
            super().rollback()

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Do what psycopg does, within the timeout."""
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        deadline = time.monotonic() + self.timeout
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.close()
                    raise psycopg.OperationalError(f"the server did not respond within {self.timeout:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
