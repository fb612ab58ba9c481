"""Deliberately wrong inboxes, each with a common mistake; the torture has to catch all of them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from sqlalchemy import Connection, update

from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox, Receipt
from webhooks.inbox.databases import log_sync
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.events.pending_receipt import PendingReceipt
from webhooks.inbox.jobs import attempts
from webhooks.inbox.jobs.due_jobs import DueJobs
from webhooks.inbox.jobs.tables import jobs
from webhooks.job import Job, JobState
from webhooks.worker import claims

DELAY_SECONDS = 0.1
SYNC_SECONDS = 0.5


def acknowledges_before_the_commit(inbox: Inbox) -> None:
    """Respond with 200, and commit a moment later."""
    begin = inbox.events.begin

    def begin_later(event: Event, on_complete: Callable[[], None] | None = None) -> PendingReceipt:
        def commit() -> None:
            time.sleep(DELAY_SECONDS)
            begin(event)

        threading.Thread(target=commit, daemon=True).start()
        return PendingReceipt(completed((0, 0), on_complete), lambda _: Receipt(0, duplicate=False))

    inbox.events.begin = begin_later  # type: ignore[method-assign]


def completed(result: tuple[int, int], on_complete: Callable[[], None] | None) -> PendingWrite[tuple[int, int]]:
    """Return a write with this result that does not wait for a commit."""
    write: PendingWrite[tuple[int, int]] = PendingWrite(lambda _: result, 0.0, on_complete=on_complete)
    write.result = result
    write.complete()
    return write


def acknowledges_before_the_sync(inbox: Inbox) -> None:  # noqa: ARG001 - the log is not the inbox's own
    """Respond with 200 when other processes can see the event, and write the log to disk only now and then."""
    sync, due = log_sync.LogSync.sync, [time.monotonic() + SYNC_SECONDS]

    def sync_rarely(self: log_sync.LogSync, lock: TextIO) -> None:
        if time.monotonic() > due[0]:
            due[0] = time.monotonic() + SYNC_SECONDS
            sync(self, lock)

    log_sync.LogSync.sync = sync_rarely  # type: ignore[method-assign]


def checks_then_inserts(inbox: Inbox) -> None:
    """Look up an event, and insert it if it is new, in two steps."""
    begin = inbox.store.begin_insert

    def check_and_insert(
        row: Sequence[Any], on_complete: Callable[[], None] | None = None
    ) -> PendingWrite[tuple[int, int]]:
        name, luid = row[4], row[3]
        known = [one for one in inbox.events.list(resources=[luid], limit=1) if one.event.resource_name == name]
        if known:
            return completed((known[0].event.id or 0, 1), on_complete)
        return begin((secrets.token_bytes(32), *row[1:]), on_complete)

    inbox.store.begin_insert = check_and_insert  # type: ignore[method-assign]


def remembers_duplicates_in_memory(inbox: Inbox) -> None:
    """Recognize only duplicates that the same process has received before."""
    begin, seen = inbox.store.begin_insert, dict[bytes, bytes]()

    def insert_if_unseen(
        row: Sequence[Any], on_complete: Callable[[], None] | None = None
    ) -> PendingWrite[tuple[int, int]]:
        fingerprint = seen.setdefault(row[0], secrets.token_bytes(32))
        return begin((fingerprint, *row[1:]), on_complete)

    inbox.store.begin_insert = insert_if_unseen  # type: ignore[method-assign]


def does_not_fence(inbox: Inbox) -> None:
    """Accept the result of a worker that slept through its lease."""
    claims.ClaimedJob.still_mine = lambda self: True  # type: ignore[method-assign]  # noqa: ARG005 - its signature

    def finish(job: Job, result: str = "", **_: object) -> None:  # noqa: ARG001 - its signature
        def end(connection: Connection) -> None:
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(state=int(JobState.DONE)))
            now = time.time()
            attempt = {"job_id": job.id, "number": job.attempts, "worker": job.owner, "outcome": "done", "error": None}
            connection.execute(attempts.INSERT_ATTEMPT, {**attempt, "started_at": now, "finished_at": now})

        inbox.store.write(end)

    inbox.jobs.finish = finish  # type: ignore[method-assign]


def claims_without_a_lease(inbox: Inbox) -> None:
    """Let a claimed job belong to its worker forever, dead or alive."""
    claim = DueJobs.claim

    def claim_forever(self: DueJobs, connection: Connection, owner: str, limit: int, lease: float, **more: Any) -> Any:
        return claim(self, connection, owner, limit, 1e6 + lease, **more)

    DueJobs.claim = claim_forever  # type: ignore[method-assign]
    inbox.jobs.renew = lambda *_: set()  # type: ignore[method-assign]


def says_yes_to_a_full_disk(inbox: Inbox) -> None:
    """Ignore the database's errors, and respond with 200."""
    receipt_of = inbox.events._receipt  # noqa: SLF001 - the flaw is inside

    def receipt(outcome: Callable[[], tuple[int, int]]) -> Receipt:
        try:
            return receipt_of(outcome)
        except StoreUnavailable:
            return Receipt(0, duplicate=False)

    inbox.events._receipt = receipt  # type: ignore[method-assign] # noqa: SLF001 - as above


# Each flaw with the scene that has to catch it.
FLAWS: dict[str, tuple[Callable[[Inbox], None], str]] = {
    "acknowledges before the commit": (acknowledges_before_the_commit, "kills"),
    "acknowledges before the sync": (acknowledges_before_the_sync, "power-failures"),
    "checks, then inserts": (checks_then_inserts, "concurrent-duplicates"),
    "remembers duplicates in memory": (remembers_duplicates_in_memory, "concurrent-duplicates"),
    "does not fence": (does_not_fence, "suspended-process"),
    "claims without a lease": (claims_without_a_lease, "kills"),
    "says yes to a full disk": (says_yes_to_a_full_disk, "full-disk"),
}
