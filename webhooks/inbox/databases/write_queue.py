"""Writes that wait for a thread, which takes many at a time."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Generic, TypeVar

from webhooks.arenas import return_memory
from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.pending_write import ByteLimit, PendingWrite

# More waiting writes are refused: Tableau retries, and memory does not grow.
CAPACITY = 2000
MAX_BYTES = 32 * 1024 * 1024
# After so many bytes have waited, memory is returned to the system.
TRIM_BYTES = MAX_BYTES // 8
# After a commit of at least this many writes, the next ones may come soon. The shortest and the longest wait for them:
MANY = 3
GATHER_SECONDS = 0.001
MAX_GATHER_SECONDS = 0.005

W = TypeVar("W", bound=PendingWrite[Any])


class WriteQueue(Generic[W]):
    """A queue with limits. One thread takes from it, and gathers writes while it expects more of them.

    `limit` is the one of another queue that passes its writes on to this one; they are counted already.
    """

    def __init__(self, limit: ByteLimit | None = None) -> None:
        self._limit = limit or ByteLimit(MAX_BYTES)
        self._queue: queue.SimpleQueue[W | None] = queue.SimpleQueue()
        self._closed = False
        # How many writes are expected, when the last ones were taken, and how long they took.
        self._expected, self._taken_at, self._seconds = 1, 0.0, 0.0
        # The number of queued writes for which the thread waits.
        self._enough = CAPACITY
        self._gathered = threading.Event()

    def put(self, pending: W) -> None:
        """Let the write wait; it fails at once if too many wait, or if the queue is closed."""
        if self._closed:
            pending.fail(StoreUnavailable("the inbox is closed"))
        elif self._queue.qsize() >= CAPACITY:
            pending.fail(StoreUnavailable(f"{CAPACITY} writes are already waiting"))
        elif pending.limit is None and not self._limit.admit(pending):
            pending.fail(StoreUnavailable(f"events with {MAX_BYTES // 1024**2} MB are already waiting"))
        else:
            self._queue.put(pending)
            if self._queue.qsize() >= self._enough:
                self._gathered.set()

    @property
    def limit(self) -> ByteLimit:
        """The limit of the bytes that wait."""
        return self._limit

    def take(self, most: int) -> list[W]:
        """Return up to `most` writes, as soon as there are any; none if the queue is closed and empty."""
        if self._queue.empty() and self._limit.has_fallen(TRIM_BYTES):
            return_memory()
        first = self._queue.get()
        if first is not None:
            self._gather(min(self._expected, most) - 1)
        self._taken_at = time.monotonic()
        return self._drain(first, most)

    def expect(self, written: int) -> None:
        """Expect as many writes soon as were written just now; to be called before any of these is completed."""
        self._expected = written + self._queue.qsize()
        self._seconds = time.monotonic() - self._taken_at

    def take_more(self, most: int = CAPACITY) -> list[W]:
        """Return up to `most` writes without waiting."""
        return self._drain(self._queue.get(), most) if most > 0 and self._queue.qsize() else []

    def close(self) -> None:
        """Refuse new writes; those that wait can still be taken."""
        self._closed = True
        self._queue.put(None)

    def _gather(self, missing: int) -> None:
        """Wait for as many writes as there were last time, but no longer than a commit takes.

        The more writes share a commit, the less each costs, and after a commit of several, the next ones come soon.
        """
        if missing < MANY - 1 or self._queue.qsize() >= missing:
            return
        self._gathered.clear()
        self._enough = missing
        if self._queue.qsize() < missing:
            self._gathered.wait(min(max(self._seconds, GATHER_SECONDS), MAX_GATHER_SECONDS))
        self._enough = CAPACITY

    def _drain(self, pending: W | None, most: int) -> list[W]:
        """Return this write and those behind it. Only the thread that takes removes any, so none is missing."""
        batch: list[W] = []
        while pending is not None:
            batch.append(pending)
            if len(batch) == most or self._queue.empty():
                return batch
            pending = self._queue.get()
        # The end, for the next call.
        self._queue.put(None)
        return batch
