"""Claim jobs under a lease, and end each attempt in exactly one way; a worker that lost the lease changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, or_, select, text, update

from webhooks.event import Event
from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.events import Events, JobPlanner
from webhooks.inbox.events.tables import events
from webhooks.inbox.jobs.attempt_sql import find_work
from webhooks.inbox.jobs.attempts import (
    HAS_TO_WAIT,
    RELEASED,
    attempt_end,
    end_attempt,
    require_recorded,
    start_attempt,
)
from webhooks.inbox.jobs.dead_letters import DeadLetters
from webhooks.inbox.jobs.due_jobs import BY_URGENCY, DueJobs
from webhooks.inbox.jobs.tables import OPEN, jobs
from webhooks.inbox.jobs.uncertain_claims import UncertainClaims
from webhooks.inbox.records import event_of, job_of
from webhooks.job import OPEN_STATES, Checkpoint, Job, JobState

# Events planned by one call of `plan_and_claim`.
PLAN_LIMIT = 200

MAX_WAITING = 500
# Few of the open jobs are read, however many there are.
_open_jobs = (
    select(jobs.c.event_id)
    .where(text(OPEN), or_(jobs.c.state == JobState.RUNNING, jobs.c.due_at <= bindparam("now")))
    .limit(MAX_WAITING)
    .subquery()
)
WAITING = (
    select(events.c.resource_name)
    .join(_open_jobs, _open_jobs.c.event_id == events.c.id)
    .where(
        events.c.event_type == bindparam("event_type"),
        events.c.site_luid == bindparam("site_luid"),
        events.c.resource_name.is_not(None),
    )
    .group_by(events.c.resource_name)
    # In the order in which the jobs run: a request may have no room for all names.
    .order_by(func.min(events.c.id))
)
# An index leads from each event to the job of that key. As texts, the conditions are the same if they are equal.
LIKE = (
    select(jobs.c.id)
    .where(
        jobs.c.event_id.in_(bindparam("event_ids", expanding=True)),
        jobs.c.key == bindparam("key"),
        or_(
            jobs.c.state == JobState.DONE,
            and_(jobs.c.state.in_(OPEN_STATES), jobs.c.conditions.in_(bindparam("conditions", expanding=True))),
        ),
    )
    .limit(1)
)


class Work(NamedTuple):
    """The kinds of work that there are: due jobs for which a person waits, other due jobs, and events to plan."""

    urgent: bool
    due: bool
    unplanned: bool


@dataclass(frozen=True, slots=True)
class Following:
    """The job that a thread runs next, which starts in the transaction that ends the last one.

    Either one that its worker holds already, or one that is claimed for `lease` seconds, if one is due.
    """

    job: Job | None = None
    lease: float | None = None


NO_JOB = Following()


class Jobs:
    """Units of work: claim them, renew their leases, end their attempts."""

    def __init__(self, store: Store, events: Events, dead_letters: DeadLetters) -> None:
        self._store, self._events = store, events
        self._due_jobs = DueJobs(store, dead_letters)
        self.uncertain_claims = UncertainClaims(store)

    def work(self) -> Work:
        """Return what there is to do for a worker, with one query."""
        now, values = self._store.due_sql()

        def read(connection: Connection) -> Work:
            return Work(*map(bool, raw_sql.execute(connection, find_work(now), *values, *values).fetchone()))

        return self._store.read(read)

    def plan_and_claim(
        self,
        owner: str,
        planner: JobPlanner,
        *,
        room: int,
        lease: float,
        plan: int = PLAN_LIMIT,
        start: int | None = None,
        rules_version: int | None = None,
        urgent: bool | None = None,
        known_due: bool = False,
    ) -> tuple[int, list[Job]]:
        """Plan up to `plan` events and claim up to `room` jobs as `claim` does, in one transaction where possible.

        Returns the number of planned events, with which `rules_version` is recorded, and the claimed jobs. A single
        commit gets an event to its handler sooner than `plan` followed by `claim`.
        """
        plans = self._events.plans(planner, plan) if plan else {}
        if room <= 0 or not any(plan.job_rows or plan.evidence for plan in plans.values()):
            planned = self._events.save_plans(plans, rules_version=rules_version)
            if room <= 0:
                return planned, []
            return planned, self.claim(owner, room, lease, start=start, urgent=urgent, known_due=known_due)

        with self.uncertain_claims.watch(lease) as runs:

            def plan_and_claim(connection: Connection) -> int:
                now = self._store.begin_claim(connection)
                planned = self._events.insert_plans(connection, plans, now=now, rules_version=rules_version)
                runs.append(self._due_jobs.claim(connection, owner, room, lease, start=start, now=now, urgent=urgent))
                return planned

            return self._store.write(plan_and_claim), _claimed(runs[-1])

    def claim(
        self,
        owner: str,
        limit: int,
        lease: float,
        *,
        start: int | None = None,
        urgent: bool | None = None,
        known_due: bool = False,
    ) -> list[Job]:
        """Claim up to `limit` due jobs for `owner`, for `lease` seconds, and count the attempt.

        The first `start` of them (default: all) start at once; the others are queued by the worker, and are not blamed
        if it dies before it has started them. The job of a dead worker is due when its lease ends, so a takeover is
        the same statement as normal work. `urgent`: only jobs for which a person waits, or only other ones.
        `known_due`: `work` has found some.
        """
        _, query = BY_URGENCY[urgent]

        def any_due(connection: Connection) -> bool:
            return connection.execute(query, {"now": self._store.now(connection)}).first() is not None

        # Read without a lock first, so that idle workers do not delay writers.
        if not known_due and not self._store.read(any_due):
            return []
        with self.uncertain_claims.watch(lease) as runs:

            def claim(connection: Connection) -> None:
                now = self._store.begin_claim(connection)
                runs.append(self._due_jobs.claim(connection, owner, limit, lease, start=start, now=now, urgent=urgent))

            self._store.write(claim)
            return _claimed(runs[-1])

    def waiting_names(self, event: Event) -> list[str]:
        """Return the names of the resources of events of this type and site whose jobs run or are due.

        That of `event` comes first, the others follow in the order in which their jobs run.
        """

        def read(connection: Connection) -> list[str]:
            values = {"now": self._store.now(connection), "event_type": event.event_type, "site_luid": event.site_luid}
            names = [row["resource_name"] for row in raw_sql.query(connection, WAITING, **values)]
            return sorted(names, key=lambda name: name != event.resource_name)

        return self._store.read(read)

    def has_like(self, job: Job, event_ids: Sequence[int], conditions: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether one of the events has the job of the same key done, or open under one of these conditions."""
        values = {"event_ids": event_ids, "key": job.key, "conditions": [json.dumps(dict(one)) for one in conditions]}
        return bool(event_ids) and self._store.scalar(LIKE, values) is not None

    def renew(self, owner: str, job_ids: Iterable[int], lease: float) -> set[int]:
        """Extend the leases of the owner's running jobs, and return the ids of those that it has lost."""
        ids = set(job_ids)
        own = and_(jobs.c.id.in_(ids), jobs.c.owner == owner, jobs.c.state == JobState.RUNNING)
        extend = update(jobs).where(own).values(due_at=self._store.now_sql() + lease).returning(jobs.c.id)

        def renew(connection: Connection) -> set[int]:
            return set(connection.execute(extend).scalars())

        return ids - self._store.write(renew)

    def start(self, job: Job) -> Job:
        """Record that a claimed job starts, and return it. Raises LeaseLost if another worker has it by now."""
        return start_attempt(self._store, job)

    def finish(
        self, job: Job, result: str = "", *, checkpoints: Iterable[Checkpoint] = (), following: Following = NO_JOB
    ) -> Job | None:
        """Mark the job as done, with its result in words. Raises LeaseLost, like all endings, if the job was lost.

        The `checkpoints` are recorded in any case. Returns the `following` job, which starts in the same transaction.
        """
        return self._end(job, following, JobState.DONE, "done", result or None, checkpoints=checkpoints)

    def skip(self, job: Job, reason: str, *, following: Following = NO_JOB) -> Job | None:
        """Mark the job as skipped because of `reason`, and start another one as `finish` does."""
        return self._end(job, following, JobState.SKIPPED, "skipped", reason)

    def postpone(
        self, job: Job, seconds: float, error: str, *, free: bool = False, following: Following = NO_JOB
    ) -> Job | None:
        """Record a failed attempt, make the job due again in `seconds`, and start another one as `finish` does.

        A `free` attempt did not fail, but has to wait: it is not counted.
        """
        outcome = HAS_TO_WAIT if free else "later"
        return self._end(job, following, JobState.READY, outcome, error, seconds=seconds, more=int(free))

    def release(self, job: Job) -> None:
        """Give the job back unfinished, for a worker that has to stop. The attempt is not counted."""
        end_attempt(self._store, job, JobState.READY, RELEASED, more=1)

    def _end(
        self, job: Job, following: Following, state: JobState, outcome: str, error: str | None, **more: Any
    ) -> Job | None:
        """End the attempt, and start the job that follows or claim one; return it if it belongs to its worker."""
        lease, owner = following.lease, job.owner
        if lease is None or owner is None:
            return end_attempt(self._store, job, state, outcome, error, start=following.job, **more)
        end = attempt_end(self._store, job, state, outcome, error, **more)
        with self.uncertain_claims.watch(lease, end if self._store.claims_at_end else None) as runs:

            def claim(connection: Connection, now: float) -> list[dict[str, Any]]:
                self._store.begin_claim(connection)
                runs.append(self._due_jobs.claim(connection, owner, 1, lease, start=1, now=now, urgent=False))
                return runs[-1]

            ended, row = self._store.end_and_claim(end, lease, claim)
        if not ended:
            require_recorded(self._store, end)
            if self._store.claims_at_end:
                self.uncertain_claims.look_for(end, lease)
        return job_of(row, event_of(row)) if row else None


def _claimed(rows: Iterable[Mapping[str, Any]]) -> list[Job]:
    return [job_of(row, event_of(row)) for row in rows]
