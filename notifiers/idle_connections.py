"""Connections that stay open for a moment, so that the next request to the same place needs no new one."""

from __future__ import annotations

import select
import ssl
import time
import weakref
from contextlib import suppress
from http.client import HTTPConnection
from typing import Generic, NamedTuple, TypeVar

from notifiers.forks import Lock, call_in_child

C = TypeVar("C", bound=HTTPConnection)
# The scheme, host and port of a service, and the proxy on the way to it.
Place = tuple[str, ...]

# Connections of one transport; each thread that sends has one.
MOST = 16


class Idle(NamedTuple, Generic[C]):
    """An open connection, and the monotonic time at which its last response was read completely."""

    place: Place
    since: float
    connection: C


class IdleConnections(Generic[C]):
    """Connections that are used again within `seconds`; 0 uses none again. Thread-safe.

    All are closed when this object is freed, and at the end of the process. A forked process uses none of its parent's:
    two processes on one connection would mix their requests.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._lock = seconds, Lock()
        self._idle: list[Idle[C]] = []
        weakref.finalize(self, _close, self._idle)
        call_in_child(self._forget)

    def take(self, place: Place) -> C | None:
        """Return a connection to the place on which the service has sent nothing since, not even its end."""
        while True:
            with self._lock:
                self._drop_old()
                found = next((one for one in reversed(self._idle) if one.place == place), None)
                if found is None:
                    return None
                self._idle.remove(found)
            if _is_silent(found.connection):
                return found.connection
            found.connection.close()

    def put(self, place: Place, connection: C) -> None:
        """Keep a connection whose last response was read completely, or close it."""
        with self._lock:
            self._drop_old()
            if self._seconds and len(self._idle) < MOST:
                self._idle.append(Idle(place, time.monotonic(), connection))
                return
        connection.close()

    def _forget(self) -> None:
        """Close the copies of the parent's connections, which stay open there: nothing is sent."""
        _close(self._idle)
        self._idle.clear()

    def _drop_old(self) -> None:
        """Close those that have been idle for too long; a service may close them when the next request is written."""
        oldest = time.monotonic() - self._seconds
        while self._idle and self._idle[0].since < oldest:
            self._idle.pop(0).connection.close()


def _is_silent(connection: HTTPConnection) -> bool:
    if isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending():
        return False
    events = select.poll()
    events.register(connection.sock, select.POLLIN)
    return not events.poll(0)


def _close(idle: list[Idle[C]]) -> None:
    for one in idle:
        with suppress(OSError):
            one.connection.close()
