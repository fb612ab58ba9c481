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


class ByteLimit:
    """The bytes of all events that wait for their commit in this process, up to a limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changing = threading.Lock()
        self._bytes = self._highest = 0

    def admit(self, write: PendingWrite[Any]) -> bool:
        """Return whether the write may wait; it is counted until it is complete, or is not wanted any more."""
        if not write.size:
            return True
        with self._changing:
            if self._bytes + write.size > self._most:
                return False
            self._bytes += write.size
            self._highest = max(self._highest, self._bytes)
            write.limit = self
        return True

    def release(self, write: PendingWrite[Any]) -> None:
        """Do not count the write any more. May be called twice, by any thread."""
        with self._changing:
            self._bytes -= write.size
            write.size = 0

    def has_fallen(self, least: int) -> bool:
        """Return whether nothing waits, after at least so many bytes did; only once for each time that this happens."""
        if self._highest < least or self._bytes:
            return False
        with self._changing:
            self._highest = self._bytes
        return True


class PendingWrite(Generic[T]):
    """A write that waits for its commit, and its result.

    It may take `timeout` seconds. `row` is set if it stores an event, so that it can be inserted together with others.
    `on_complete` is called once, by the thread that completes the write, and must return at once. `size` is the bytes
    that count for the limit of what waits. A write whose time is over gives up its values, unless a thread is writing
    them.
    """

    __slots__ = (
        "_completed",
        "_on_complete",
        "_taken",
        "abandoned",
        "error",
        "limit",
        "operation",
        "result",
        "row",
        "size",
        "timeout",
    )

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
        self.size = len(row[1]) if row is not None else 0
        self.limit: ByteLimit | None = None
        self._taken = False
        self._on_complete = on_complete
        self.abandoned = False
        self.error: Exception | None = None
        self.result: T
        # A bare lock is the cheapest way in Python for one thread to wake another once.
        self._completed = threading.Lock()
        self._completed.acquire()

    def take(self) -> bool:
        """Return whether the write is still wanted; if so, its values stay until it is complete or given back."""
        # In this order, and the other one in `_outcome`: no lock is needed.
        self._taken = True
        return not self.abandoned

    def give_back(self) -> None:
        """Let the write wait again."""
        self._taken = False
        if self.abandoned:
            self.drop()

    def drop(self) -> None:
        """Give up the values, which will not be written."""
        self.row, self.operation = None, _not_wanted

    def complete(self) -> None:
        """Wake the thread that waits; `result` or `error` is set."""
        if self.limit is not None:
            self.limit.release(self)
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
            if self.limit is not None:
                self.limit.release(self)
            if not self._taken:
                self.drop()
            raise StoreUnavailable(f"the database did not commit within {self.timeout:g} s")
        if self.error is not None:
            raise self.error
        return self.result


def _not_wanted(_connection: Connection) -> Any:
    raise StoreUnavailable("the write is not wanted any more")
