"""The thread that runs the checks: every process with a worker has one, but only one of them at a time checks."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

LOCK = "monitor"
LEASE_SECONDS = 60.0
# Seconds between attempts to get the lock, and between renewals. If the process that checks is killed, another one
# takes over after a lease and such an interval.
RENEW_SECONDS = 15.0
STOP_SECONDS = 2.0


class Check(Protocol):
    """One periodic check."""

    def run(self, now: datetime) -> None:
        """Check, and send alerts."""


class Monitor:
    """Run all `checks` every `minutes`, and at once when this process becomes the one that checks.

    A check that fails is logged; the other checks and the next run are not affected.
    """

    def __init__(
        self, inbox: Inbox, checks: Sequence[Check], minutes: float, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._checks, self._interval, self._clock = inbox, checks, minutes * 60, clock
        self._renew_seconds = min(RENEW_SECONDS, self._interval)
        self._stopping = threading.Event()
        self._has_lock = False
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._lock_thread = threading.Thread(target=self._keep_lock, name="monitor-lock", daemon=True)

    def start(self) -> None:
        self._lock_thread.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop checking and let another process take over at once; a check that is running is abandoned."""
        self._stopping.set()
        for thread in (self._lock_thread, self._thread):
            thread.join(STOP_SECONDS)
        with suppress(StoreUnavailable):
            self._inbox.locks.release(LOCK, self.name)

    def alive(self) -> bool:
        """Return whether the monitor runs in this process; threads do not survive a fork."""
        return self._thread.is_alive()

    def _keep_lock(self) -> None:
        """Acquire the lock and renew it, also while a check waits for Tableau."""
        while True:
            try:
                self._has_lock = self._inbox.locks.acquire(LOCK, self.name, LEASE_SECONDS)
            except StoreUnavailable:
                self._has_lock = False
            if self._stopping.wait(self._renew_seconds):
                return

    def _run(self) -> None:
        due = 0.0
        while not self._stopping.wait(min(0.5, self._renew_seconds)):
            if not self._has_lock:
                due = 0.0
            elif time.monotonic() >= due:
                due = time.monotonic() + self._interval
                for check in self._checks:
                    if self._stopping.is_set():
                        return
                    try:
                        check.run(self._clock())
                    except StoreUnavailable as error:
                        log.warning("Inbox unavailable, check postponed: %s: %s", type(check).__name__, error)
                    except Exception:
                        log.exception("Check failed: %s", type(check).__name__)
