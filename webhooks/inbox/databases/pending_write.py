"""A write that waits for its commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from webhooks.errors import StoreUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")


class PendingWrite(Generic[T]):
    """A write that waits for its commit, and its result.

    It may take `timeout` seconds. `row` is set if it stores an event, so that it can be inserted together with others.
    `on_complete` is called once, by the thread that completes the write, and must return at once.
    """

    __slots__ = ("_completed", "_on_complete", "abandoned", "error", "operation", "result", "row", "timeout")

    def __init__(
        self,
        operation: Callable[[Connection], T],
        timeout: float,
        row: Sequence[Any] | None = None,
        on_complete: Callable[[], None] | None = None,
    ) -> None:
        self.operation = operation
        self.timeout = timeout
        self.row = row
        self._on_complete = on_complete
        self.abandoned = False
        self.error: Exception | None = None
        self.result: T
        # A bare lock is the cheapest way in Python for one thread to wake another once.
        self._completed = threading.Lock()
        self._completed.acquire()

    def complete(self) -> None:
        """Wake the thread that waits; `result` or `error` is set."""
        self._completed.release()
        # It may refer to this write.
        on_complete, self._on_complete = self._on_complete, None
        if on_complete is not None:
            try:
                on_complete()
            except Exception:
                # The thread has other writes to complete.
                log.exception("Completion of a write not reported")

    def fail(self, error: Exception) -> None:
        """Complete the write with an error."""
        self.error = error
        self.complete()

    def wait(self) -> T:
        """Return the operation's result once it is on disk. Raises its error, or StoreUnavailable after the timeout."""
        return self._outcome(completed=self._completed.acquire(timeout=self.timeout))

    def outcome(self) -> T:
        """Do the same without waiting, when the write is complete or its time is over. To be called once."""
        return self._outcome(completed=self._completed.acquire(blocking=False))

    def _outcome(self, *, completed: bool) -> T:
        if not completed:
            self.abandoned = True
            # The write may be queued for as long as the database is locked, and must not hold the request.
            self._on_complete = None
            raise StoreUnavailable(f"the database did not commit within {self.timeout:g} s")
        if self.error is not None:
            raise self.error
        return self.result
