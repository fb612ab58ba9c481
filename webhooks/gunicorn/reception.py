"""A request that is being received: its connection, its deadline, and gunicorn's input for the rest of it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from webhooks.gunicorn.partial_request import PartialRequest

# Seconds in which a client must send its whole request, head and body, and in which it must read the response.
REQUEST_SECONDS = 10.0
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True, eq=False)
class Reception:
    """A connection whose request is being received. `seat`: it is in a thread although its body is incomplete."""

    connection: Any
    deadline: float
    request: PartialRequest = field(default_factory=PartialRequest)
    seat: bool = False


class LimitedSource:
    """The input of gunicorn's parser: the connection until the deadline, then an end as if the client had closed."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline
        self.ended = False

    def recv(self, size: int) -> bytes:
        """Return the next bytes; empty at the end, and after the deadline."""
        remaining = self._deadline - time.monotonic()
        data = b""
        if remaining > 0:
            with suppress(TimeoutError):
                self._connection.settimeout(remaining)
                data = self._connection.recv(size)
            self._connection.settimeout(REQUEST_SECONDS)
        self.ended = not data
        return data


def has_read_body(request: Any) -> bool:
    """Return whether a body of known length was read to its end."""
    return getattr(request.body.reader, "length", None) == 0
