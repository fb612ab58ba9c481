"""The thread that watches: in every process that works, but only one of them at a time looks."""

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

from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

TASK = "monitor"
LEASE_SECONDS = 60.0
TICK_SECONDS = 15.0
"""Between looks at whose turn it is; a killed watcher is replaced after a lease and a tick."""
STOP_SECONDS = 2.0

Check = Callable[[datetime], None]


class Monitor:
    """Calls each of `looks` every `minutes`, and at once when it becomes the one that does so.

    A look that fails is logged; the others, and the next round, go on.
    """

    def __init__(
        self, inbox: Inbox, looks: Sequence[Check], minutes: float, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._looks, self._seconds, self._clock = inbox, looks, minutes * 60, clock
        self._tick = min(TICK_SECONDS, self._seconds)
        self._stopping = threading.Event()
        self._held = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="watch-turn", daemon=True)

    def start(self) -> None:
        self._keeper.start()
        self._thread.start()

    def stop(self) -> None:
        """Lets another process take over at once. A round under way is left behind."""
        self._stopping.set()
        for thread in (self._keeper, self._thread):
            thread.join(STOP_SECONDS)
        with suppress(StoreUnavailable):
            self._inbox.locks.release(TASK, self.name)

    def alive(self) -> bool:
        """Whether it runs in this process; threads do not survive a fork."""
        return self._thread.is_alive()

    def _keep(self) -> None:
        """Takes the turn and keeps it, also while a round waits for Tableau."""
        while True:
            try:
                self._held = self._inbox.locks.acquire(TASK, self.name, LEASE_SECONDS)
            except StoreUnavailable:
                self._held = False
            if self._stopping.wait(self._tick):
                return

    def _run(self) -> None:
        due = 0.0
        while not self._stopping.wait(min(0.5, self._tick)):
            if not self._held:
                due = 0.0
            elif time.monotonic() >= due:
                due = time.monotonic() + self._seconds
                self._round()

    def _round(self) -> None:
        for look in self._looks:
            try:
                look(self._clock())
            except StoreUnavailable as error:
                log.warning("The watch cannot reach the inbox: %s", error)
            except Exception:
                log.exception("A round of the watch failed")
            if self._stopping.is_set():
                return
