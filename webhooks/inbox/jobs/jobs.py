"""Claim jobs under a lease, and end each attempt in exactly one way; a worker that lost the lease changes nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, and_, bindparam, or_, select, text, update

from webhooks.event import Event
from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.events import Events, JobPlanner
from webhooks.inbox.events.tables import events
from webhooks.inbox.jobs.attempt_sql import find_work
from webhooks.inbox.jobs.attempts import INSERT_ATTEMPT, LOST, RELEASED, end_attempt, lost_attempts, start_attempt
from webhooks.inbox.jobs.dead_letters import DeadLetters
from webhooks.inbox.jobs.tables import OPEN, URGENT, jobs
from webhooks.inbox.queries import JOB_QUERY
from webhooks.inbox.records import event_of, job_of
from webhooks.job import OPEN_STATES, Job, JobState

# After this many worker deaths the job is taken to be their cause.
MAX_LOSSES = 5
# Events planned by one call of `plan_and_claim`.
PLAN_LIMIT = 200

# Built once, because building a statement takes longer than running it, and writers wait for each other.
DUE = (
    JOB_QUERY.where(text(OPEN), jobs.c.due_at <= bindparam("now"))
    .order_by(jobs.c.due_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=jobs)
)
ANY_DUE = select(jobs.c.id).where(text(OPEN), jobs.c.due_at <= bindparam("now")).limit(1)
# The due jobs, and whether there is one, by urgency; None: of all jobs.
BY_URGENCY = {
    None: (DUE, ANY_DUE),
    True: (DUE.where(text(URGENT)), ANY_DUE.where(text(URGENT))),
    False: (DUE.where(jobs.c.urgent == 0), ANY_DUE.where(jobs.c.urgent == 0)),
}
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
    .distinct()
)
CLAIM = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=JobState.RUNNING,
        attempts=jobs.c.attempts + 1,
        owner=bindparam("new_owner"),
        due_at=bindparam("new_due_at"),
        started_at=bindparam("new_started_at"),
        finished_at=None,
    )
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


class Jobs:
    """Units of work: claim them, renew their leases, end their attempts."""

    def __init__(self, store: Store, events: Events, dead_letters: DeadLetters) -> None:
        self._store, self._events, self._dead_letters = store, events, dead_letters

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

        def plan_and_claim(connection: Connection) -> tuple[int, list[dict[str, Any]]]:
            now = self._store.begin_claim(connection)
            planned = self._events.insert_plans(connection, plans, now=now, rules_version=rules_version)
            return planned, self._claim(connection, owner, room, lease, start=start, now=now, urgent=urgent)

        planned, rows = self._store.write(plan_and_claim)
        return planned, _claimed(rows)

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

        def claim(connection: Connection) -> list[dict[str, Any]]:
            now = self._store.begin_claim(connection)
            return self._claim(connection, owner, limit, lease, start=start, now=now, urgent=urgent)

        # Read without a lock first, so that idle workers do not delay writers.
        return _claimed(self._store.write(claim)) if known_due or self._store.read(any_due) else []

    def waiting_names(self, event: Event) -> list[str]:
        """Return the names of the resources of events of this type and site whose jobs run or are due."""

        def read(connection: Connection) -> list[str]:
            values = {"now": self._store.now(connection), "event_type": event.event_type, "site_luid": event.site_luid}
            return list(connection.execute(WAITING, values).scalars())

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

    def finish(self, job: Job, result: str = "", *, start: Job | None = None) -> Job | None:
        """Mark the job as done, with its result in words. Raises LeaseLost, like all endings, if the job was lost.

        The claimed job `start` starts in the same transaction, and is returned if it still belongs to its worker.
        """
        return end_attempt(self._store, job, JobState.DONE, "done", result or None, start=start)

    def skip(self, job: Job, reason: str, *, start: Job | None = None) -> Job | None:
        """Mark the job as skipped because of `reason`, and start another one as `finish` does."""
        return end_attempt(self._store, job, JobState.SKIPPED, "skipped", reason, start=start)

    def postpone(self, job: Job, seconds: float, error: str, *, free: bool = False) -> None:
        """Record a failed attempt and make the job due again in `seconds`. A `free` attempt is not counted."""
        end_attempt(self._store, job, JobState.READY, "later", error, seconds=seconds, more=int(free))

    def release(self, job: Job) -> None:
        """Give the job back unfinished, for a worker that has to stop. The attempt is not counted."""
        end_attempt(self._store, job, JobState.READY, RELEASED, more=1)

    def _claim(
        self,
        connection: Connection,
        owner: str,
        limit: int,
        lease: float,
        *,
        start: int | None,
        now: float,
        urgent: bool | None,
    ) -> list[dict[str, Any]]:
        claimed: list[dict[str, Any]] = []
        due, _ = BY_URGENCY[urgent]
        for row in connection.execute(due, {"now": now, "most": limit}).mappings().all():
            max_attempts = row["max_attempts"]
            if row["state"] == JobState.RUNNING and row["started_at"] is None:
                self._record_unstarted_attempt(connection, row, now)
                max_attempts += 1
            elif row["state"] == JobState.RUNNING and not self._record_lost_attempt(connection, row, now, lease):
                continue
            new = {"state": JobState.RUNNING, "attempts": row["attempts"] + 1, "max_attempts": max_attempts}
            claimed.append({**row, **new})
        first = len(claimed) if start is None else start
        for rows, started_at in ((claimed[:first], self._store.to_wall(now)), (claimed[first:], None)):
            if rows:
                new = {"owner": owner, "due_at": now + lease, "started_at": started_at}
                ids = [row["id"] for row in rows]
                connection.execute(CLAIM, {"ids": ids, **{f"new_{key}": value for key, value in new.items()}})
                for taken in rows:
                    taken.update(new)
        return claimed

    def _record_unstarted_attempt(self, connection: Connection, row: RowMapping, now: float) -> None:
        """Record that the worker died before it started this job, which is not counted as an attempt."""
        wall = self._store.to_wall(now)
        error = f"worker {row['owner']} died before it started the job"
        attempt = {"job_id": row["id"], "number": row["attempts"], "worker": row["owner"], "error": error}
        times = {"started_at": wall, "finished_at": wall}
        connection.execute(INSERT_ATTEMPT, {**attempt, **times, "outcome": RELEASED})
        this = update(jobs).where(jobs.c.id == row["id"])
        connection.execute(this.values(max_attempts=jobs.c.max_attempts + 1))

    def _record_lost_attempt(self, connection: Connection, row: RowMapping, now: float, lease: float) -> bool:
        """Record that the worker died while running this job, and return whether the job may run now.

        A job that was running in more than one crash may be the cause: it is rescheduled alone after a random delay
        and dead-lettered after `MAX_LOSSES` crashes.
        """
        wall = self._store.to_wall(now)
        error = f"worker {row['owner']} died (lease expired)"
        attempt = {"job_id": row["id"], "number": row["attempts"], "worker": row["owner"], "error": error}
        times = {"started_at": row["started_at"], "finished_at": wall}
        connection.execute(INSERT_ATTEMPT, {**attempt, **times, "outcome": LOST})
        losses = lost_attempts(connection, row["id"])
        this = update(jobs).where(jobs.c.id == row["id"])
        if row["attempts"] >= row["max_attempts"] or losses >= MAX_LOSSES:
            dead = {"state": int(JobState.DEAD), "finished_at": wall, "error": f"{error}, attempt {row['attempts']}"}
            connection.execute(this.values(**dead))
            self._dead_letters.add_announcements(connection, job_of(row, event_of(row)), now)
            return False
        if losses > 1:
            delay = random.uniform(0, lease * (losses - 1) / 2)  # noqa: S311 - jitter
            connection.execute(this.values(state=int(JobState.READY), due_at=now + delay, error=error))
            return False
        return True


def _claimed(rows: Iterable[Mapping[str, Any]]) -> list[Job]:
    return [job_of(row, event_of(row)) for row in rows]
