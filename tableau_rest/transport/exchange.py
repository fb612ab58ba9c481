"""One HTTP exchange: a deadline for all of it, and whether the request has left.

The timeouts of http.client and urllib3 apply to each single read or write and start again with every byte, so a server
that sends one byte every few seconds could block a thread for hours. Inside `exchange(seconds)` each read and write on
a `DeadlineConnection` is limited to the time that is left.

Only public names are used: `connect`, `send` and the attribute `sock` of http.client's connections, `makefile` of
sockets, and a subclass that is set as `ConnectionCls` of a pool. See docs/decisions/012-deadlines.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPConnection
else:
    HTTPConnection = object

# Bytes passed to the socket at a time, so that a peer that reads slowly is noticed; a TLS record holds as many.
_PIECE = 16 * 1024
# Interim responses before the real one: https://www.rfc-editor.org/rfc/rfc9110#section-15.2. One is
# enough for a server, and http.client reads any number. As in notifiers/deadline.py.
_MAX_INTERIM_RESPONSES = 10


class Exchange:
    """The state of one exchange. `sent`: at least part of the request was handed to the connected socket."""

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self.sent = False


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def exchange(seconds: float) -> Iterator[Exchange]:
    """Limit everything this thread does on its connections to `seconds` in all; later steps raise TimeoutError.

    Name resolution and each attempt to connect are limited separately.
    """
    state = Exchange(time.monotonic() + seconds)
    token = _current.set(state)
    try:
        yield state
    finally:
        _current.reset(token)


class DeadlineConnection(HTTPConnection):
    """A mixin for http.client's and urllib3's connection classes, to be named before them.

    Whatever socket the connection uses, for a proxy's CONNECT as well as for TLS, is wrapped in a DeadlineSocket.
    """

    _deadline_socket: DeadlineSocket | None = None
    _connecting = False

    @property
    def sock(self) -> Any:
        """The socket in use, or None."""
        return self._deadline_socket

    @sock.setter
    def sock(self, value: Any) -> None:
        wrapped = value is None or isinstance(value, DeadlineSocket)
        self._deadline_socket = value if wrapped else DeadlineSocket(value)

    def connect(self) -> None:
        """Connect, with the proxy's tunnel and the TLS handshake."""
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        """Send bytes, and note in the exchange that the request has left."""
        if self.sock is None:
            self.connect()
        state = _current.get()
        if state is not None and not self._connecting:
            state.sent = True
        super().send(data)


class DeadlineSocket:
    """A socket whose reads and writes end at the deadline of the current exchange."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self._timeout: float | None = sock.gettimeout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, value: float | None) -> None:
        """Set the timeout of a single read or write, in seconds."""
        self._timeout = value
        self._socket.settimeout(value)

    def sendall(self, data: Any) -> None:
        """Send all bytes; the deadline is checked between pieces."""
        left = memoryview(data).cast("B")
        while left:
            self.limit()
            left = left[self._socket.send(left[:_PIECE]) :]

    def makefile(self, *_: Any, **__: Any) -> BufferedReader:
        """Return a buffered reader, which is what http.client reads responses from."""
        return _ResponseFile(_Reader(self, self._socket.makefile("rb", buffering=0)))

    def limit(self) -> None:
        """Limit the next step to the time that is left. Raises TimeoutError if there is none."""
        state = _current.get()
        if state is None:
            return
        left = state.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        self._socket.settimeout(left if self._timeout is None else min(left, self._timeout))


class _ResponseFile(BufferedReader):
    """A file from which http.client reads one response, without interim responses that never end."""

    _status_lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if line.startswith(b"HTTP/"):
            self._status_lines += 1
            if self._status_lines > 1 + _MAX_INTERIM_RESPONSES:
                raise HTTPException(f"the server sent more than {_MAX_INTERIM_RESPONSES} interim responses")
        return line


class _Reader(RawIOBase):
    def __init__(self, sock: DeadlineSocket, file: RawIOBase) -> None:
        super().__init__()
        self._sock, self._file = sock, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.limit()
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()
