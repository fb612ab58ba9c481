"""Connections that end: open until the client has read its response, without a thread that waits for it."""

from __future__ import annotations

import socket
import time
from itertools import takewhile
from typing import Any

# Seconds for a client to read the response and close, after which the connection is closed with what it still sends,
# https://www.rfc-editor.org/rfc/rfc9112#section-9.6
LINGER_SECONDS = 2.0
RECEIVE_BYTES = 64 * 1024


class Lingering:
    """The connections of a worker that have sent their last response, with the time when each is closed."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        # In the order of their times.
        self._connections: dict[Any, float] = {}

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._connections)

    def __contains__(self, connection: object) -> bool:
        """Return whether the connection has sent its last response."""
        return connection in self._connections

    def add(self, connection: Any) -> None:
        """Close the connection as soon as the client does, but without waiting for it in this thread."""
        try:
            unblock(connection.sock)
            connection.sock.shutdown(socket.SHUT_WR)
            self._worker.watch(connection)
        except (OSError, ValueError):
            self._worker.close(connection)
            return
        self._connections[connection] = time.monotonic() + LINGER_SECONDS
        self.discard(connection)

    def discard(self, connection: Any) -> None:
        """Read and forget what the client still sends, so that its response is not lost by a reset."""
        try:
            if connection.sock.recv(RECEIVE_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        del self._connections[connection]
        self._worker.close(connection)

    def expire(self, now: float) -> None:
        """Close those whose time is over."""
        for connection, _ in list(takewhile(lambda item: item[1] <= now, self._connections.items())):
            del self._connections[connection]
            self._worker.close(connection)

    def close_oldest(self) -> bool:
        """Close the one that has waited longest for its client, and return whether there was one."""
        for connection in self._connections:
            del self._connections[connection]
            self._worker.close(connection)
            return True
        return False


def unblock(connection: socket.socket) -> None:
    """Let the socket's calls return at once; most often they do, and this needs no call of the system."""
    if connection.gettimeout() != 0:
        connection.setblocking(False)


def has_received(connection: socket.socket) -> bool:
    """Return whether the socket, whose calls return at once, has data that was not read yet."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
