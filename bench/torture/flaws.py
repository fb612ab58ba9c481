"""Inboxes that are wrong on purpose, each in a way that people do get wrong: the torture has to catch every one."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, update

from webhooks import worker
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox, Receipt, leases
from webhooks.inbox.schema import jobs
from webhooks.job import Job, JobState

PAUSE = 0.1


def acknowledges_before_the_commit(inbox: Inbox) -> None:
    """Says 200 and commits a moment later."""
    commit = inbox.receive

    def receive(event: Event) -> Receipt:
        def later() -> None:
            time.sleep(PAUSE)
            commit(event)

        threading.Thread(target=later, daemon=True).start()
        return Receipt(0, duplicate=False)

    inbox.receive = receive  # type: ignore[method-assign]


def checks_then_inserts(inbox: Inbox) -> None:
    """Looks whether it has the event, and inserts it if not, in two steps."""
    insert = inbox.store.insert

    def look_and_insert(statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        name, luid = values[4], values[3]
        known = [one for one in inbox.events(resource=luid, limit=1) if one.event.resource_name == name]
        if known:
            return known[0].event.id, 1
        return insert(statement, (secrets.token_bytes(32), *values[1:]))

    inbox.store.insert = look_and_insert  # type: ignore[method-assign]


def remembers_duplicates_in_memory(inbox: Inbox) -> None:
    """Each process knows what it has seen itself, and nothing of the others."""
    insert, seen = inbox.store.insert, dict[bytes, bytes]()

    def insert_unless_seen(statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        mark = seen.setdefault(values[0], secrets.token_bytes(32))
        return insert(statement, (mark, *values[1:]))

    inbox.store.insert = insert_unless_seen  # type: ignore[method-assign]


def does_not_fence(inbox: Inbox) -> None:
    """Believes every worker that says it is done, also one that slept through its lease."""
    worker.Running.still_mine = lambda self: True  # type: ignore[method-assign]  # noqa: ARG005

    def finish(job: Job) -> None:
        def end(connection: Connection) -> None:
            done = update(jobs).where(jobs.c.id == job.id).values(state=int(JobState.DONE))
            connection.execute(done)
            tried = {"job_id": job.id, "number": job.attempts, "worker": job.owner, "outcome": "done", "error": None}
            now = time.time()
            connection.execute(leases.ATTEMPT, {**tried, "started_at": now, "finished_at": now})

        inbox.store.write(end)

    inbox.finish = finish  # type: ignore[method-assign]


def claims_without_a_lease(inbox: Inbox) -> None:
    """A claimed job belongs to its worker for ever, dead or alive."""
    claim = inbox.claim
    inbox.claim = lambda owner, limit, lease, **more: claim(owner, limit, 1e6 + lease, **more)  # type: ignore[method-assign]
    inbox.renew = lambda *_: set()  # type: ignore[method-assign]


def says_yes_to_a_full_disk(inbox: Inbox) -> None:
    """Swallows what the database says and answers 200."""
    keep = inbox.receive

    def receive(event: Event) -> Receipt:
        try:
            return keep(event)
        except StoreUnavailable:
            return Receipt(0, duplicate=False)

    inbox.receive = receive  # type: ignore[method-assign]


FLAWS: dict[str, tuple[Callable[[Inbox], None], str]] = {
    "acknowledges before the commit": (acknowledges_before_the_commit, "kills"),
    "checks, then inserts": (checks_then_inserts, "twins"),
    "remembers duplicates in memory": (remembers_duplicates_in_memory, "twins"),
    "does not fence": (does_not_fence, "sleep"),
    "claims without a lease": (claims_without_a_lease, "kills"),
    "says yes to a full disk": (says_yes_to_a_full_disk, "full disk"),
}
"""Each flaw with the scene that has to catch it."""
