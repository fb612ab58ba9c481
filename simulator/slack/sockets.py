"""The connections of Socket Mode, which an app opens and over which it gets the presses of buttons.

https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.slack.websocket import WebSocket

APP = "A0WEBHOOKS"
# An app may have this many connections.
MOST = 10


class Sockets:
    """The connections of the app, and the envelopes that it has to acknowledge."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: set[str] = set()
        self._open: list[WebSocket] = []
        self._waiting: dict[str, threading.Event] = {}

    @property
    def count(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def new_ticket(self) -> str:
        """Return the ticket for one connection."""
        with self._lock:
            ticket = uuid.uuid4().hex
            self._tickets.add(ticket)
            return ticket

    def use(self, ticket: str) -> bool:
        """Return whether a connection may be opened with this ticket, which is used up."""
        with self._lock:
            known = ticket in self._tickets and len(self._open) < MOST
            self._tickets.discard(ticket)
            return known

    def serve(self, connection: WebSocket, *, greet: bool) -> None:
        """Say hello, and receive acknowledgements until the connection ends."""
        with self._lock:
            self._open.append(connection)
        try:
            if greet:
                self._say(
                    connection, {"type": "hello", "num_connections": self.count, "connection_info": {"app_id": APP}}
                )
            while (text := connection.receive()) is not None:
                envelope = _envelope(text)
                if found := self._waiting.get(envelope):
                    found.set()
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.remove(connection)
            connection.close()

    def send(self, payload: dict[str, Any], seconds: float) -> str:
        """Send an interaction over one of the connections; return why it was not acknowledged, or an empty text."""
        envelope, acknowledged = str(uuid.uuid4()), threading.Event()
        with self._lock:
            connection = self._open[-1] if self._open else None
            self._waiting[envelope] = acknowledged
        try:
            if connection is None:
                return "The app has no connection"
            message = {"type": "interactive", "envelope_id": envelope, "accepts_response_payload": False}
            self._say(connection, message | {"payload": payload})
            return "" if acknowledged.wait(seconds) else f"The app did not acknowledge within {seconds:g} s"
        except OSError:
            return "The connection ended"
        finally:
            with self._lock:
                del self._waiting[envelope]

    def disconnect(self) -> None:
        """Announce the end of all connections, as Slack does every few hours; the app opens new ones."""
        with self._lock:
            for connection in self._open:
                self._say(connection, {"type": "disconnect", "reason": "refresh_requested"})

    def cut(self) -> None:
        """End all connections without a word."""
        with self._lock:
            for connection in self._open:
                connection.close()

    @staticmethod
    def _say(connection: WebSocket, message: dict[str, Any]) -> None:
        connection.send(json.dumps(message).encode())


def _envelope(text: bytes) -> str:
    try:
        return str(json.loads(text)["envelope_id"])
    except (ValueError, KeyError, TypeError):
        return ""
