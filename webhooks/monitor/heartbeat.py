"""Cause a heartbeat every minute: an event that goes the whole way, at whose end its job calls HEARTBEAT_URL.

This server is first sent a test request through its own address, so that a server that accepts no requests has no
heartbeat either. docs/howto/watch.md says what each stage is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from notifiers import NotifierError
from notifiers.transport import Request, Timeouts, Transport
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.event import MONITOR, build
from webhooks.event_types import HEARTBEAT_DUE, HEARTBEAT_RESOURCE
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

# Seconds between two looks whether a new minute has begun; after an error it is tried again as often.
TRY_SECONDS = 10.0
STOP_SECONDS = 2.0
TIMEOUTS = Timeouts(2.0, 3.0, 5.0)
# The receiver logs a test request with this header only in detail.
HEADERS = {"Heartbeat": "1", "Content-Type": "application/json"}
# Events of heartbeats are deleted after this time.
KEPT = timedelta(minutes=10)


class Heartbeat:
    """Adds one event a minute, however many processes do so; `hook` is the address of this server's receiver."""

    def __init__(self, inbox: Callable[[], Inbox], hook: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._inbox, self._hook, self._clock = inbox, hook, clock
        self._transport = Transport("This server", secrets=[hook])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._minute: datetime | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop; the thread ends soon."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def beat(self, now: datetime) -> bool:
        """Add the event of this minute unless that was done; return whether it is there.

        Raises NotifierError and StoreUnavailable.
        """
        minute = now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return True
        response = self._transport.send(Request("POST", self._hook, HEADERS, b"{}"), TIMEOUTS)
        if response.status != 200:
            log.warning("No heartbeat, the receiver responds with %d", response.status)
            return False
        inbox = self._inbox()
        # Rehearses the statements that store an event of Tableau.
        inbox.check_writable()
        event = build(
            HEARTBEAT_DUE,
            origin=MONITOR,
            resource="WEBHOOK",
            resource_name="Heartbeat",
            resource_luid=HEARTBEAT_RESOURCE,
            # The same for all processes, which makes it one event.
            created_at=f"{minute:%Y-%m-%dT%H:%M:%S}Z",
            text=now.isoformat(),
        )
        inbox.synthetic_events.add(event, MONITOR, now)
        inbox.retention.delete_synthetic(HEARTBEAT_DUE, HEARTBEAT_RESOURCE, (now - KEPT).timestamp())
        self._minute = minute
        return True

    def _run(self) -> None:
        while not self._stopping.wait(TRY_SECONDS):
            try:
                self.beat(self._clock())
            except (NotifierError, StoreUnavailable) as error:
                log.warning("No heartbeat: %s", error)
            except Exception:
                log.exception("No heartbeat")
