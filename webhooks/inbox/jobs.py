"""Jobs are claimed under a lease, and each ends in exactly one way; whoever lost the lease changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, exists, insert, select, text, update

from webhooks.errors import LeaseLost
from webhooks.inbox.databases.store import Store
from webhooks.inbox.dead_letters import untell
from webhooks.inbox.events import add_jobs, job_row
from webhooks.inbox.records import event_of, job_of
from webhooks.inbox.schema import OPEN, attempts, events, jobs, steps
from webhooks.job import OPEN_STATES, Job, JobState, NewJob

LOST = "lost"
MAX_LOSSES = 5
"""So many workers may die under one job; then the job is what kills them."""


class Leases:
    """`claim`, `renew`, and the ways a job ends: finish, skip, postpone, bury, release."""

    store: Store
    announcements: Sequence[NewJob] = ()
    """The jobs that tell somebody about a dead one (their events are filled in)."""

    def claim(self, owner: str, limit: int, lease: float) -> list[Job]:
        """Up to `limit` due jobs for `owner`, whose they are for `lease` seconds. Counts the attempt.

        A job whose worker died is due when its lease ends, so taking over is the same statement as normal work.
        Whether there is any is looked up without a lock, so that idle workers do not hold up those that write.
        """
        if not self.store.read(self._any_due):
            return []
        return self.claimed(self.store.write(lambda c: self._claim(c, owner, limit, lease, self.store.seconds(c))))

    @staticmethod
    def claimed(rows: Iterable[Mapping[str, Any]]) -> list[Job]:
        return [job_of(row, event_of(row)) for row in rows]

    def renew(self, owner: str, job_ids: Iterable[int], lease: float) -> set[int]:
        """Extends the leases of the owner's running jobs; returns those that are its own no more."""
        ids = set(job_ids)
        mine = and_(jobs.c.id.in_(ids), jobs.c.owner == owner, jobs.c.state == JobState.RUNNING)
        extended = update(jobs).where(mine).values(due_at=self.store.now() + lease).returning(jobs.c.id)
        return ids - set(self.store.write(lambda connection: connection.execute(extended).scalars().all()))

    def finish(self, job: Job) -> None:
        """The job is done. Like all the endings it raises LeaseLost when another worker has the job by now."""
        self._end(job, JobState.DONE, "done")

    def skip(self, job: Job, reason: str) -> None:
        """There was nothing to do, and `reason` says why."""
        self._end(job, JobState.SKIPPED, "skipped", reason)

    def postpone(self, job: Job, seconds: float, error: str, *, free: bool = False) -> None:
        """The attempt failed; the job is due again in so many seconds. A `free` attempt may be made once more."""
        self._end(job, JobState.READY, "later", error, seconds=seconds, more=int(free))

    def release(self, job: Job) -> None:
        """Gives the job back unfinished, for a worker that has to stop. That costs no attempt."""
        self._end(job, JobState.READY, "released", more=1)

    def bury(self, job: Job, error: str) -> None:
        """The job is dead, and somebody is going to be told."""
        self._end(job, JobState.DEAD, "dead", error)

    def _any_due(self, connection: Connection) -> bool:
        return connection.execute(ANY_DUE, {"now": self.store.seconds(connection)}).first() is not None

    def _claim(self, connection: Connection, owner: str, limit: int, lease: float, now: float) -> list[dict[str, Any]]:
        wall = self.store.wall(now)
        due = connection.execute(DUE, {"now": now, "most": limit}).mappings().all()
        free = [row for row in due if row["state"] == JobState.READY or self._survives(connection, row, now, lease)]
        if not free:
            return []
        taken = {"owner": owner, "due_at": now + lease, "started_at": wall}
        connection.execute(TAKE, {"ids": [row["id"] for row in free], **{f"new_{k}": v for k, v in taken.items()}})
        return [{**row, **taken, "state": JobState.RUNNING, "attempts": row["attempts"] + 1} for row in free]

    def _survives(self, connection: Connection, row: RowMapping, now: float, lease: float) -> bool:
        """Writes down that a worker died with this job; whether the job may run now.

        If it was not the first to die, the job may be what kills them: it comes back at a time of its own, so that
        it takes no innocent along, and in the end it is dead itself.
        """
        wall = self.store.wall(now)
        error = f"worker {row['owner']} stopped without a word"
        tried = {"job_id": row["id"], "number": row["attempts"], "worker": row["owner"] or ""}
        times = {"started_at": row["started_at"], "finished_at": wall}
        connection.execute(ATTEMPT, {**tried, **times, "outcome": LOST, "error": error})
        losses = _losses(connection, row["id"])
        this = update(jobs).where(jobs.c.id == row["id"])
        if row["attempts"] >= row["max_attempts"] or losses >= MAX_LOSSES:
            dead = {"state": int(JobState.DEAD), "finished_at": wall, "error": f"{error}, attempt {row['attempts']}"}
            connection.execute(this.values(**dead))
            self._announce(connection, job_of(row, event_of(row)), now)
            return False
        if losses > 1:
            apart = random.uniform(0, lease * (losses - 1) / 2)  # noqa: S311 — jitter
            connection.execute(this.values(state=int(JobState.READY), due_at=now + apart, error=error))
            return False
        return True

    def _end(
        self, job: Job, state: JobState, outcome: str, error: str | None = None, *, seconds: float = 0.0, more: int = 0
    ) -> None:
        # PostgreSQL's text has no NUL, and a name from outside may stand in an error.
        error = error.replace("\0", "\ufffd") if error else error
        mine = {"job": job.id, "by": job.owner, "attempt": job.attempts}
        started_at = job.started_at.timestamp() if job.started_at else 0.0
        tried = {"job_id": job.id, "number": job.attempts, "worker": job.owner or "", "started_at": started_at}
        ended = {"new_state": int(state), "new_error": error, "more": more, **mine}

        def ending(connection: Connection) -> bool:
            now = self.store.seconds(connection)
            wall = self.store.wall(now)
            if connection.execute(END, {**ended, "now": wall, "new_due_at": now + seconds}).rowcount == 0:
                return False
            connection.execute(ATTEMPT, {**tried, "finished_at": wall, "outcome": outcome, "error": error})
            if state is JobState.DEAD:
                self._announce(connection, job, now)
            return True

        if not self.store.write(ending):
            raise LeaseLost(f"job {job.id} belongs to another worker now")

    def _announce(self, connection: Connection, dead: Job, now: float) -> None:
        """One announcement waits at a time for each destination; it tells of all dead jobs there are by then."""
        if dead.handler in {new.handler for new in self.announcements}:
            untell(connection, dead.id)
        for new in self.announcements:
            if dead.handler == new.handler:
                continue
            row = job_row(dead.event.id, replace(new, key=f"{new.key} {dead.id}"))
            same = and_(jobs.c.handler == new.handler, jobs.c.params == row["params"])
            waiting = exists().where(text(OPEN), jobs.c.state == int(JobState.READY), same)
            if connection.execute(select(waiting)).scalar():
                continue
            # The job may have died before, been replayed, and died again.
            before = select(jobs.c.id).where(jobs.c.event_id == dead.event.id, jobs.c.key == row["key"])
            if (known := connection.execute(before).scalar()) is not None:
                revive(connection, [known], now, self.store.wall(now))
            else:
                add_jobs(connection, [row | {"due_at": now, "created_at": self.store.wall(now)}])


def revive(connection: Connection, job_ids: Sequence[int], now: float, made_at: float) -> int:
    """Makes ended jobs ready anew, as if made at `made_at`. What `once` remembers is forgotten: they are meant to do it
    all again, with the patience that a new job has."""
    ended = and_(jobs.c.id.in_(job_ids), jobs.c.state.not_in(OPEN_STATES))
    ids = connection.execute(select(jobs.c.id).where(ended).with_for_update()).scalars().all()
    connection.execute(delete(steps).where(steps.c.job_id.in_(ids)))
    fresh = {"state": int(JobState.READY), "attempts": 0, "error": None, "finished_at": None, "told_at": None}
    anew = update(jobs).where(jobs.c.id.in_(ids)).values(**fresh, due_at=now, created_at=made_at)
    return connection.execute(anew).rowcount


def _losses(connection: Connection, job_id: int) -> int:
    """How many workers died under the job since it was first tried, or since its last replay."""
    outcomes = select(attempts.c.number, attempts.c.outcome).where(attempts.c.job_id == job_id)
    losses = 0
    for number, outcome in connection.execute(outcomes.order_by(attempts.c.id.desc())):
        losses += outcome == LOST
        if number == 1:
            break
    return losses


# Made once: building a statement costs more than running it, and the writers of the machine wait for each other.

DUE = (
    select(jobs, events.c.body, events.c.fingerprint, events.c.received_at)
    .join_from(jobs, events)
    .where(text(OPEN), jobs.c.due_at <= bindparam("now"))
    .order_by(jobs.c.due_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=jobs)
)

ANY_DUE = select(jobs.c.id).where(text(OPEN), jobs.c.due_at <= bindparam("now")).limit(1)

TAKE = (
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

END = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.owner == bindparam("by"),
        jobs.c.attempts == bindparam("attempt"),
        jobs.c.state == JobState.RUNNING,
    )
    .values(
        state=bindparam("new_state"),
        error=bindparam("new_error"),
        due_at=bindparam("new_due_at"),
        finished_at=bindparam("now"),
        max_attempts=jobs.c.max_attempts + bindparam("more"),
        owner=None,
    )
)

ATTEMPT = insert(attempts)
