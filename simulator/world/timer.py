"""Delayed calls in a few threads, for deliveries, retries and running refreshes."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Timer:
    """A heap of due calls and the threads that make them; the threads start with the first call."""

    def __init__(self, threads: int) -> None:
        self._size = threads
        self._threads: list[threading.Thread] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = 0
        self._changed = threading.Condition()
        self.stopping = threading.Event()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Schedule `call` in `seconds`, in one of the threads."""
        with self._changed:
            if self.stopping.is_set():
                return
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), call))
            if not self._threads:
                self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self._size)]
                for thread in self._threads:
                    thread.start()
            self._changed.notify_all()

    def clear(self) -> None:
        """Drop all calls that are not running yet."""
        with self._changed:
            self._due.clear()
            self._changed.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait up to `seconds` until no call is due or running, and return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._running, seconds)

    def close(self) -> None:
        """Stop the threads after their current calls."""
        self.stopping.set()
        self.clear()
        for thread in self._threads:
            thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self.stopping.is_set():
                    wait = self._due[0][0] - time.monotonic() if self._due else None
                    if wait is not None and wait <= 0:
                        break
                    self._changed.wait(wait)
                if self.stopping.is_set():
                    return
                call = heapq.heappop(self._due)[2]
                self._running += 1
            try:
                call()
            except Exception:
                log.exception("Delayed call of the simulator failed")
            with self._changed:
                self._running -= 1
                self._changed.notify_all()
