"""A connection with one end for all of it: a server that drips its answer, or takes ours in drips, holds no thread.

The time limits of http.client are for each single step on the wire, and begin anew with every byte that comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any

PIECE = 16 * 1024  # bytes; a TLS record holds as many, and a step on the wire sends one


class Deadline(HTTPConnection):
    """To stand before a class of connections: from `until` (of the monotonic clock) on, whatever it does is too late.

    Too late is a TimeoutError. Finding the address and connecting have limits of their own.
    """

    def __init__(self, *args: Any, until: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._until = until
        self.response_class = partial(_Answer, until=until)  # type: ignore[assignment]

    def send(self, data: Any) -> None:
        """Send the bytes, a piece at a time."""
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), PIECE):
            _hurry(self.sock, self._until)
            super().send(data[start : start + PIECE])


class _Answer(HTTPResponse):
    """Head and body, read by steps of which none goes beyond `until`."""

    def __init__(self, sock: socket, *args: Any, until: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = BufferedReader(_Steps(self.fp.detach(), partial(_hurry, sock, until)))


class _Steps(RawIOBase):
    """The bytes of a socket's own file, with something done before each step."""

    def __init__(self, file: RawIOBase, before: Callable[[], None]) -> None:
        super().__init__()
        self._file = file
        self._before = before

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._before()
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _hurry(sock: socket, until: float) -> None:
    """Let the next step take no longer than there is time."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the call as a whole took too long")
    sock.settimeout(min(left, sock.gettimeout() or left))
