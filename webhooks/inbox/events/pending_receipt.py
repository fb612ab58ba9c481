"""The receipt of an event that waits for its commit."""

from __future__ import annotations

from collections.abc import Callable

from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.records import Receipt


class PendingReceipt:
    """The receipt of an event that is being stored. Both methods raise StoreUnavailable when that takes too long."""

    __slots__ = ("_receipt", "_write", "timeout")

    def __init__(
        self, write: PendingWrite[tuple[int, int]], receipt: Callable[[Callable[[], tuple[int, int]]], Receipt]
    ) -> None:
        self._write, self._receipt = write, receipt
        # Seconds that it may take.
        self.timeout = write.timeout

    def wait(self) -> Receipt:
        """Return the receipt when the event is on disk."""
        return self._receipt(self._write.wait)

    def outcome(self) -> Receipt:
        """Do the same without waiting, when the write is complete or its time is over. To be called once."""
        return self._receipt(self._write.outcome)
