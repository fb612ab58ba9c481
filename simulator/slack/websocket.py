"""The server's side of a WebSocket on the development server's socket: the handshake and frames of RFC 6455.

Enough for clients that send whole frames: no extensions, no fragments.
https://www.rfc-editor.org/rfc/rfc6455
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from flask import Response

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
# Bytes of a frame.
LARGEST = 1024 * 1024


class Taken(Response):
    """The response of a view that has taken the socket: nothing more is sent."""

    def __call__(self, *_: Any) -> Iterable[bytes]:
        """Raise ConnectionError, which the development server takes for a client that has gone."""
        raise ConnectionError


class WebSocket:
    """A connection after its handshake; several threads may send."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self.closed = False

    @classmethod
    def accept(cls, connection: socket.socket, key: str) -> WebSocket:
        """Send the response of the handshake to a client with this Sec-WebSocket-Key."""
        accepted = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        connection.sendall("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accepted}", "", ""]).encode())
        return cls(connection)

    def send(self, data: bytes, kind: int = TEXT) -> None:
        """Send one frame. Raises OSError."""
        size = len(data)
        if size < 126:
            header = struct.pack("!BB", 0x80 | kind, size)
        elif size < 65536:
            header = struct.pack("!BBH", 0x80 | kind, 126, size)
        else:
            header = struct.pack("!BBQ", 0x80 | kind, 127, size)
        with self._lock:
            self._connection.sendall(header + data)

    def receive(self) -> bytes | None:
        """Return the next text, and answer pings meanwhile; None at the end of the connection."""
        while True:
            try:
                first, second = self._read(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack("!H", self._read(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", self._read(8))
                if size > LARGEST or not second & 0x80:
                    return None
                mask = self._read(4)
                data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._read(size)))
                kind = first & 0x0F
                if kind == PING:
                    self.send(data, PONG)
                elif kind == TEXT:
                    return data
                elif kind == CLOSE:
                    return None
            except (OSError, ValueError):
                return None

    def close(self) -> None:
        """End the connection at once, as a network that fails does."""
        self.closed = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self._connection.recv(size - len(data))
            if not chunk:
                raise OSError("the connection ended")
            data += chunk
        return bytes(data)
