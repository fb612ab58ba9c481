"""Inboxes that are wrong on purpose, each in a way that people do get wrong: the torture has to catch every one."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, update

from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox, Receipt, attempts
from webhooks.inbox.schema import jobs
from webhooks.job import Job, JobState
from webhooks.worker import worker

PAUSE = 0.1


def acknowledges_before_the_commit(inbox: Inbox) -> None:
    """Says 200 and commits a moment later."""
    commit = inbox.events.receive

    def receive(event: Event) -> Receipt:
        def later() -> None:
            time.sleep(PAUSE)
            commit(event)

        threading.Thread(target=later, daemon=True).start()
        return Receipt(0, duplicate=False)

    inbox.events.receive = receive  # type: ignore[method-assign]


def checks_then_inserts(inbox: Inbox) -> None:
    """Looks whether it has the event, and inserts it if not, in two steps."""
    keep = inbox.store.insert_event

    def look_and_keep(row: Sequence[Any]) -> tuple[int, int]:
        name, luid = row[4], row[3]
        known = [one for one in inbox.events.list(resources=[luid], limit=1) if one.event.resource_name == name]
        if known:
            return known[0].event.id or 0, 1
        return keep((secrets.token_bytes(32), *row[1:]))

    inbox.store.insert_event = look_and_keep  # type: ignore[method-assign]


def remembers_duplicates_in_memory(inbox: Inbox) -> None:
    """Each process knows what it has seen itself, and nothing of the others."""
    keep, seen = inbox.store.insert_event, dict[bytes, bytes]()

    def keep_unless_seen(row: Sequence[Any]) -> tuple[int, int]:
        mark = seen.setdefault(row[0], secrets.token_bytes(32))
        return keep((mark, *row[1:]))

    inbox.store.insert_event = keep_unless_seen  # type: ignore[method-assign]


def does_not_fence(inbox: Inbox) -> None:
    """Believes every worker that says it is done, also one that slept through its lease."""
    worker.ClaimedJob.still_mine = lambda self: True  # type: ignore[method-assign]  # noqa: ARG005

    def finish(job: Job, *, start: Job | None = None) -> None:  # noqa: ARG001
        def end(connection: Connection) -> None:
            done = update(jobs).where(jobs.c.id == job.id).values(state=int(JobState.DONE))
            connection.execute(done)
            tried = {"job_id": job.id, "number": job.attempts, "worker": job.owner, "outcome": "done", "error": None}
            now = time.time()
            connection.execute(attempts.INSERT_ATTEMPT, {**tried, "started_at": now, "finished_at": now})

        inbox.store.write(end)

    inbox.jobs.finish = finish  # type: ignore[method-assign]


def claims_without_a_lease(inbox: Inbox) -> None:
    """A claimed job belongs to its worker for ever, dead or alive."""
    take = inbox.jobs.plan_and_claim
    inbox.jobs.plan_and_claim = lambda *who, lease, **more: take(*who, lease=1e6 + lease, **more)  # type: ignore[method-assign]
    inbox.jobs.renew = lambda *_: set()  # type: ignore[method-assign]


def says_yes_to_a_full_disk(inbox: Inbox) -> None:
    """Swallows what the database says and answers 200."""
    keep = inbox.events.receive

    def receive(event: Event) -> Receipt:
        try:
            return keep(event)
        except StoreUnavailable:
            return Receipt(0, duplicate=False)

    inbox.events.receive = receive  # type: ignore[method-assign]


FLAWS: dict[str, tuple[Callable[[Inbox], None], str]] = {
    "acknowledges before the commit": (acknowledges_before_the_commit, "kills"),
    "checks, then inserts": (checks_then_inserts, "twins"),
    "remembers duplicates in memory": (remembers_duplicates_in_memory, "twins"),
    "does not fence": (does_not_fence, "sleep"),
    "claims without a lease": (claims_without_a_lease, "kills"),
    "says yes to a full disk": (says_yes_to_a_full_disk, "full disk"),
}
"""Each flaw with the scene that has to catch it."""
