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
from webhooks.monitor.outages import no_outage

log = logging.getLogger(__name__)

LOCK = "monitor"
LEASE_SECONDS = 30.0
# Seconds between attempts to get the lock, and between renewals. If the process that checks is killed, another one
# takes over after a lease and such an interval, within 45 seconds.
RENEW_SECONDS = 10.0
STOP_SECONDS = 2.0
# Tableau may disable a webhook some time after the last delivery failed, so checks are repeated after an outage.
FOLLOW_UP_SECONDS = 60.0


class Check(Protocol):
    """One periodic check."""

    def run(self, now: datetime) -> None:
        """Check, and send alerts."""


class Pacing:
    """Decide when checks are due. Times are seconds of a monotonic clock.

    They are due at once at first, every `interval`, and after an outage: at once, but not more often than every
    `follow_up`, and again `follow_up` after it.
    """

    def __init__(self, interval: float, follow_up: float) -> None:
        self._interval, self._follow_up = interval, follow_up
        self._outage_at: float | None = None
        self._ran_at: float | None = None
        self._due_at = 0.0

    def restart(self) -> None:
        """Make checks due at once."""
        self._ran_at = None
        self._due_at = 0.0

    def note_outage(self, now: float) -> None:
        """Take into account that there was an outage until now."""
        self._outage_at = now
        self._due_at = min(self._due_at, now if self._ran_at is None else max(now, self._ran_at + self._follow_up))

    def is_due(self, now: float) -> bool:
        """Return whether the checks are due; if so, they are due next at a later time."""
        if now < self._due_at:
            return False
        self._ran_at, self._due_at = now, now + self._interval
        if self._outage_at is not None and now < self._outage_at + self._follow_up:
            self._due_at = min(self._due_at, self._outage_at + self._follow_up)
        return True


class Monitor:
    """Run all `checks` every `minutes`, at once when this process becomes the one that checks, and after an outage.

    `last_outage` returns the time of the last outage of our own. Monitors with different locks check side by side, on
    one server or on two. A check that fails is logged; the other checks and the next run are not affected.
    """

    def __init__(
        self,
        inbox: Inbox,
        checks: Sequence[Check],
        minutes: float,
        *,
        clock: Callable[[], datetime] = utc_now,
        last_outage: Callable[[], float | None] = no_outage,
        follow_up: float = FOLLOW_UP_SECONDS,
        lock: str = LOCK,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._checks, self._clock, self._last_outage = inbox, checks, clock, last_outage
        self._pacing = Pacing(minutes * 60, follow_up)
        self._renew_seconds = min(RENEW_SECONDS, minutes * 60)
        self._outage: float | None = None
        self._lock = lock
        self._stopping = threading.Event()
        self._has_lock = False
        self._thread = threading.Thread(target=self._run, name=lock, daemon=True)
        self._lock_thread = threading.Thread(target=self._keep_lock, name=f"{lock}-lock", daemon=True)

    def start(self) -> None:
        self._lock_thread.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop checking and let another process take over at once; a check that is running is abandoned."""
        self._stopping.set()
        for thread in (self._lock_thread, self._thread):
            thread.join(STOP_SECONDS)
        with suppress(StoreUnavailable):
            self._inbox.locks.release(self._lock, self.name)

    def alive(self) -> bool:
        """Return whether the monitor runs in this process; threads do not survive a fork."""
        return self._thread.is_alive()

    def _keep_lock(self) -> None:
        """Acquire the lock and renew it, also while a check waits for Tableau; notice outages of any process."""
        while True:
            try:
                self._outage = self._last_outage()
                self._has_lock = self._inbox.locks.acquire(self._lock, self.name, LEASE_SECONDS)
            except StoreUnavailable:
                self._has_lock = False
            if self._stopping.wait(self._renew_seconds):
                return

    def _run(self) -> None:
        outage: float | None = None
        while not self._stopping.wait(min(0.5, self._renew_seconds)):
            if not self._has_lock:
                self._pacing.restart()
                continue
            if self._outage != outage:
                outage = self._outage
                self._pacing.note_outage(time.monotonic())
            if not self._pacing.is_due(time.monotonic()):
                continue
            for check in self._checks:
                if self._stopping.is_set():
                    return
                try:
                    check.run(self._clock())
                except StoreUnavailable as error:
                    log.warning("Inbox unavailable, check postponed: %s: %s", type(check).__name__, error)
                except Exception:
                    log.exception("Check failed: %s", type(check).__name__)
