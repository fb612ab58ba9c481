"""Sockets with a total time limit, so that a slow server cannot block a thread.

The timeout of a socket limits each single operation and starts over with every byte, so a server that sends one byte
now and then never exceeds it. Inside `time_limit` each operation gets at most the rest of the whole time.

Only documented interfaces are used: methods of `socket.socket`, and `SSLContext.sslsocket_class` for TLS
(https://docs.python.org/3/library/ssl.html#ssl.SSLContext.sslsocket_class). See docs/decisions/012-deadlines.md.
"""

from __future__ import annotations

import io
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from typing import Any

# Interim responses before the real one: https://www.rfc-editor.org/rfc/rfc9110#section-15.2. One is
# enough for a server, and http.client reads any number. As in tableau_rest/transport/exchange.py.
MAX_INTERIM_RESPONSES = 10

_end: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let all socket operations of this thread inside the block together take at most `seconds`.

    An operation that would exceed them raises TimeoutError. Resolving a name is limited by the resolver only.
    """
    token = _end.set(min(_end.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _end.reset(token)


class LimitedReader(io.BufferedReader):
    """A file from which http.client reads one response, without interim responses that never end."""

    _status_lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line. Raises HTTPException after too many interim responses."""
        line = super().readline(size)
        if line.startswith(b"HTTP/"):
            self._status_lines += 1
            if self._status_lines > 1 + MAX_INTERIM_RESPONSES:
                raise HTTPException(f"the server sent more than {MAX_INTERIM_RESPONSES} interim responses")
        return line


class LimitedSocket(socket.socket):
    """A socket whose operations obey `time_limit`, beside its own timeout for each of them."""

    @contextmanager
    def _limited(self) -> Iterator[None]:
        own = self.gettimeout()
        left = _end.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call as a whole took too long")
        if left < math.inf:
            self.settimeout(left if own is None else min(left, own))
        try:
            yield
        finally:
            self.settimeout(own)

    def connect(self, address: Any, /) -> None:
        """Connect to `address`."""
        with self._limited():
            super().connect(address)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send some of `data` and return how many bytes."""
        with self._limited():
            return super().send(data, flags)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send all of `data`."""
        with self._limited():
            super().sendall(data, flags)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Return the bytes that arrive next, at most `buflen`."""
        with self._limited():
            return super().recv(buflen, flags)

    def makefile(self, *_: Any, **__: Any) -> Any:
        """Return a buffered reader, which is what http.client reads responses from."""
        return LimitedReader(super().makefile("rb", buffering=0))

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Read the bytes that arrive next into `buffer`; files made by `makefile` read with it."""
        with self._limited():
            return super().recv_into(buffer, nbytes or 0, flags)


class LimitedTLSSocket(LimitedSocket, ssl.SSLSocket):
    """The same for TLS, its handshake included."""

    def do_handshake(self, block: bool = False) -> None:
        """Perform the TLS handshake."""
        with self._limited():
            super().do_handshake(block)


def limited(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let `context` make sockets that obey `time_limit`, and return it."""
    context.sslsocket_class = LimitedTLSSocket
    return context


def connect(host: str, port: int, timeout: float, permit: Callable[[str], object] = str) -> LimitedSocket:
    """Return a socket connected to the first address of `host` that accepts a connection within `timeout` seconds.

    `permit` is called with each address before any is connected to, and raises an error to refuse it. Raises the
    OSError of the last address, and that of the resolver for an unknown name.
    """
    failure = OSError(f"no address found for {host}")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        permit(str(address[0]))
    for family, kind, protocol, _, address in found:
        connection = LimitedSocket(family, kind, protocol)
        connection.settimeout(timeout)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            # A request is written in two parts; without this the second would wait for an acknowledgement of the first.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise failure
