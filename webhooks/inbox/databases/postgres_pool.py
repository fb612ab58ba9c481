"""psycopg as the inbox uses it: no answer is waited for too long, and acknowledging has connections of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any

import psycopg

from webhooks.errors import StoreUnavailable

SPARE = 5
"""Connections for acknowledging, a process."""
CONNECT_SECONDS = 2.0
"""As long as opening a connection may take; psycopg knows no less."""
LATE_SECONDS = 0.5
"""Who had to wait so long does not begin to open a connection: the answer would come too late."""
LEAST_SECONDS = 0.2


class Patient(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up, and closes, when the server says nothing for `patience` seconds.

    The server's own `statement_timeout` does not help against one that is stopped or cut off.
    """

    patience = 30.0

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        deadline = time.monotonic() + self.patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.close()
                    raise psycopg.OperationalError(f"the server did not answer within {self.patience:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


class Turn:
    """A thread's place in the queue for a connection."""

    __slots__ = ("connection", "given")

    def __init__(self) -> None:
        self.connection: Patient | None = None
        self.given = threading.Lock()
        self.given.acquire()


class Spares:
    """A few connections that run one statement each, committed by itself, and nothing else.

    Who waits for one gets it in turn: where whoever is quickest gets it, some thread waits until it is too late.
    """

    def __init__(self, connect: Callable[[], Patient], size: int = SPARE) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        # The last one given back is at the end and used first; None stands for one that is yet to be opened.
        self._free: list[Patient | None] = [None] * size
        self._queue: deque[Turn] = deque()

    def run(self, statement: str, values: Sequence[Any], seconds: float) -> tuple[Any, ...]:
        """The row that the statement returns. Raises StoreUnavailable, or psycopg's error for a mistake in it."""
        deadline = time.monotonic() + seconds
        connection = self._take(seconds - LEAST_SECONDS)
        try:
            connection, row = self._run(connection, statement, values, deadline)
        except BaseException:
            if connection is not None:
                connection.close()
            self._give(None)
            raise
        self._give(connection)
        return row

    def _take(self, seconds: float) -> Patient | None:
        with self._lock:
            if self._free:
                return self._free.pop()
            turn = Turn()
            self._queue.append(turn)
        if turn.given.acquire(timeout=seconds):
            return turn.connection
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
                raise StoreUnavailable("every connection to the database is waiting for it")
        return turn.connection  # given at the last moment

    def _give(self, connection: Patient | None) -> None:
        with self._lock:
            if self._queue:
                turn = self._queue.popleft()
                turn.connection = connection
                turn.given.release()
            elif connection is None:
                self._free.insert(0, None)
            else:
                self._free.append(connection)

    def _run(
        self, connection: Patient | None, statement: str, values: Sequence[Any], deadline: float
    ) -> tuple[Patient, tuple[Any, ...]]:
        if connection is not None:
            with suppress(psycopg.OperationalError):
                return connection, _execute(connection, statement, values, deadline)
            # It had gone stale, as after a restart of the database, or its time is up.
            connection.close()
        if time.monotonic() > deadline - CONNECT_SECONDS + LATE_SECONDS:
            raise StoreUnavailable("the database did not answer in time")
        fresh = None
        try:
            fresh = self._connect()
            return fresh, _execute(fresh, statement, values, deadline)
        except psycopg.Error as error:
            if fresh is not None:
                fresh.close()
            if isinstance(error, psycopg.OperationalError):
                raise StoreUnavailable(str(error).strip()) from error
            raise

    def close(self) -> None:
        with self._lock:
            for connection in self._free:
                if connection is not None:
                    connection.close()
            self._free = [None] * len(self._free)


def _execute(connection: Patient, statement: str, values: Sequence[Any], deadline: float) -> tuple[Any, ...]:
    connection.patience = max(LEAST_SECONDS, deadline - time.monotonic())
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row
