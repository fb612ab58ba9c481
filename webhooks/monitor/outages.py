"""Record when this server may have failed to accept events, so that the monitor looks for the consequences.

Tableau may disable a webhook after a single event whose four deliveries failed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.forks import Lock
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

KEY = "outage"
# Seconds between attempts to store the time while the inbox is unavailable, and between writes during many failures.
RETRY_SECONDS = 1.0
STORE_SECONDS = 5.0
STOP_SECONDS = 2.0


def no_outage() -> float | None:
    """Return None: no outage is known."""
    return None


class Outages:
    """The time of the last start or failed response, shared by all processes through the inbox.

    `inbox` opens the inbox on first use.
    """

    def __init__(self, inbox: Callable[[], Inbox], *, clock: Callable[[], datetime] = utc_now) -> None:
        self._inbox, self._clock = inbox, clock
        self._last: float | None = None
        self._lock = Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def record(self) -> None:
        """Record that events may have been refused until now.

        Returns at once: a thread stores the time, as soon as the inbox is available.
        """
        with self._lock:
            self._last = self._clock().timestamp()
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._store, name="outages", daemon=True)
                self._thread.start()

    def last(self) -> float | None:
        """Return the time of the last outage of any process, in seconds since 1970, or None.

        Raises StoreUnavailable.
        """
        times = [time for time in (self._last, self._inbox().state.get(KEY)) if time is not None]
        return max(times, default=None)

    def stop(self) -> None:
        """Stop storing; a time that could not be stored is replaced by that of the next start."""
        self._stopping.set()
        thread = self._thread
        if thread is not None:
            thread.join(STOP_SECONDS)

    def _store(self) -> None:
        while True:
            last = self._last
            try:
                self._inbox().state.set(KEY, last)
            except (StoreUnavailable, RuntimeError, OSError):
                wait = RETRY_SECONDS
            except Exception:
                log.exception("Outage not recorded")
                wait = STORE_SECONDS
            else:
                with self._lock:
                    if last == self._last:
                        self._thread = None
                        return
                wait = STORE_SECONDS
            if self._stopping.wait(wait):
                return
