"""Does things later, and several at a time: the threads behind deliveries, retries and running refreshes."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Timer:
    """A heap of due calls worked off by a few threads, which start with the first call."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._started: list[threading.Thread] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = 0
        self._changed = threading.Condition()
        self.stopping = threading.Event()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` made in `seconds`, by one of the threads."""
        with self._changed:
            if self.stopping.is_set():
                return
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), call))
            self._start()
            self._changed.notify_all()

    def forget(self) -> None:
        """Drop what is not running yet."""
        with self._changed:
            self._due.clear()
            self._changed.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait up to `seconds` until nothing is due or running; True when that came to pass."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._running, seconds)

    def close(self) -> None:
        """Stop; calls that are running finish on their own."""
        self.stopping.set()
        self.forget()
        for thread in self._started:
            thread.join(timeout=10)

    def _start(self) -> None:
        if not self._started:
            self._started = [threading.Thread(target=self._work, daemon=True) for _ in range(self._threads)]
            for thread in self._started:
                thread.start()

    def _work(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:
                log.exception("A thread of the simulator stumbled")
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self.stopping.is_set():
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._running += 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None
