"""Store events in PostgreSQL in batches (docs/decisions/040-batches-on-postgresql.md)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from psycopg.errors import LockNotAvailable

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.errors import can_pass, unavailable
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.postgres_pool import AcknowledgementPool
from webhooks.inbox.databases.write_queue import WriteQueue
from webhooks.inbox.events import insert_event

# Events in one statement. Each number of events has a statement of its own, and psycopg prepares up to 100 of them.
BATCH = 50
CLOSE_SECONDS = 5.0
# The wait for another transaction that has stored or changed the same event, of a batch and of an event on its own.
BATCH_LOCK_MILLISECONDS, LOCK_MILLISECONDS = 300, 50
# The threads: for new events, for duplicates, and for the others.
LANES = 3


class PendingInsert(PendingWrite[tuple[int, int]]):
    """An event that waits for its commit."""

    __slots__ = ("deadline", "values")

    def __init__(self, values: Sequence[Any], timeout: float, on_complete: Callable[[], None] | None = None) -> None:
        # Batches insert the values, so the operation never runs.
        super().__init__(lambda _: (0, 0), timeout, on_complete=on_complete)
        self.values = values
        self.size = len(values[1])
        self.deadline = time.monotonic() + timeout

    def drop(self) -> None:
        """Give up the values, which will not be written."""
        self.values = ()


Batch = list[PendingInsert]


class BatchedInserts:
    """Inserts all events that wait and are new by one statement, which is its own transaction; one at a time.

    Duplicates are counted by another thread in the same way. What neither could store is stored by a third one, event
    by event: the batches of mistakes, those of events that another transaction holds, and duplicates whose row one
    holds. `prepare` is called before each batch, and raises StoreUnavailable while the database is not ready.
    `wall_sql` returns the SQL of the time and its values.
    """

    def __init__(
        self,
        pool: AcknowledgementPool,
        prepare: Callable[[], None],
        wall_sql: Callable[[], tuple[str, tuple[float, ...]]],
    ) -> None:
        self._pool, self._prepare, self._wall_sql = pool, prepare, wall_sql
        self._new = WriteQueue[PendingInsert]()
        self._copies, self._others = (WriteQueue[PendingInsert](self._new.limit) for _ in range(2))
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []

    def begin(self, pending: PendingInsert) -> None:
        """Let the event wait for its commit; it fails at once if too many wait."""
        try:
            if len(self._threads) < LANES:
                self._start()
        except RuntimeError as error:
            # The system lets this process start no more threads now.
            pending.fail(StoreUnavailable(str(error)))
            return
        self._new.put(pending)

    def close(self) -> None:
        """Store the waiting events, then stop."""
        # In this order, because each thread passes events on to the next one.
        for number, waiting in enumerate((self._new, self._copies, self._others)):
            waiting.close()
            for thread in self._threads[number : number + 1]:
                thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        """Start the threads with the first event, because they would not survive a fork."""
        lanes = (
            (self._new, BATCH, self._insert_new),
            (self._copies, BATCH, self._count_copies),
            (self._others, 1, self._store_one),
        )
        with self._starting:
            # Each has one thread: those that were started before an error remain.
            for lane in lanes[len(self._threads) :]:
                thread = threading.Thread(target=self._run, args=lane, name="inbox-writer", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _run(self, waiting: WriteQueue[PendingInsert], most: int, store: Callable[[Batch], Batch]) -> None:
        """Store what waits until the queue is closed; whatever fails is an error of its events."""
        while batch := waiting.take(most):
            wanted = [pending for pending in batch if pending.take()]
            if not wanted:
                continue
            try:
                self._prepare()
                settled = store(wanted)
            except Exception as caught:  # noqa: BLE001 - the thread must survive every failure
                error = unavailable(caught) if can_pass(caught) else caught
                # Without a connection, each batch would have to wait for an attempt to connect.
                settled = [*wanted, *(waiting.take_more() if self._pool.unreachable else ())]
                for pending in settled:
                    pending.error = error
            waiting.expect(len(batch))
            for pending in settled:
                pending.complete()

    @staticmethod
    def _pass_on(pending: PendingInsert, waiting: WriteQueue[PendingInsert]) -> None:
        pending.give_back()
        waiting.put(pending)

    def _insert_new(self, batch: Batch) -> Batch:
        """Insert the events that are new and return them, and pass the others on."""
        now, values = self._wall_sql()
        statement = insert_event.insert_missing(len(batch), now, BATCH_LOCK_MILLISECONDS)
        values = (*values, *(value for pending in batch for value in pending.values))
        try:
            inserted = self._pool.execute(statement, values, _seconds_left(batch))
        except Exception as error:
            if can_pass(error) and not isinstance(error, LockNotAvailable):
                raise
            for pending in batch:
                self._pass_on(pending, self._others)
            return []
        ids = {fingerprint: event_id for event_id, fingerprint in inserted}
        settled: Batch = []
        for pending in batch:
            # Removed, because the batch may have the same event again.
            event_id = ids.pop(pending.values[0], None)
            if event_id is None:
                self._pass_on(pending, self._copies)
            else:
                pending.result = (event_id, 0)
                settled.append(pending)
        return settled

    def _count_copies(self, batch: Batch) -> Batch:
        """Count the duplicates whose events no other transaction holds and return them, and pass the others on."""
        copies = Counter[bytes](pending.values[0] for pending in batch)
        values = (list(copies), list(copies.values()))
        counted = {
            fingerprint: (event_id, duplicates - copies[fingerprint])
            for fingerprint, event_id, duplicates in self._pool.execute(
                insert_event.COUNT_COPIES, values, _seconds_left(batch)
            )
        }
        settled: Batch = []
        for pending in batch:
            fingerprint = pending.values[0]
            if fingerprint not in counted:
                self._pass_on(pending, self._others)
                continue
            event_id, before = counted[fingerprint]
            pending.result = counted[fingerprint] = (event_id, before + 1)
            settled.append(pending)
        return settled

    def _store_one(self, batch: Batch) -> Batch:
        """Store an event or count its duplicate; while another transaction holds it, let the others come first."""
        (pending,) = batch
        now, values = self._wall_sql()
        statement, values = insert_event.upsert_soon(now, LOCK_MILLISECONDS), (*pending.values, *values)
        try:
            ((event_id, duplicates),) = self._pool.execute(statement, values, _seconds_left(batch))
        except LockNotAvailable:
            # Again, until its sender is refused.
            self._pass_on(pending, self._others)
            return []
        pending.result = (event_id, duplicates)
        return batch


def _seconds_left(batch: Batch) -> float:
    """Return how long the last event of the batch can wait; for the others, their senders wait no longer than that."""
    return batch[-1].deadline - time.monotonic()
