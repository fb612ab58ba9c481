"""Outages of services: the jobs that wait for each, the trials, and its end, at which all of them are due."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from webhooks.clock import from_timestamp
from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.jobs.attempts import end_attempt
from webhooks.inbox.jobs.tables import OPEN, jobs, outage_jobs, outages
from webhooks.job import FREE_WAITS, Job, JobState

# Seconds between two trials, so that a service that works again is noticed soon: this share of the time since the
# outage began, within these bounds. The last one is for an outage that is not confirmed.
SHARE, SHORTEST, LONGEST, LONGEST_UNCONFIRMED = 0.2, 1.0, 30.0, 300.0
# While an outage is confirmed, a job waits for at least this many seconds: trials are made more often than that.
SHORTEST_WAIT = 30.0
# Seconds by which the due time of a job that waits for a service may differ from the stored one.
EXACT = 0.001
# Jobs in one statement.
BATCH = 500
# The due time in `outage_jobs` of a job whose message may have arrived: no trial, and no end, makes it due sooner.
NEVER_SOONER = 0.0

ALL = select(outages)
STORED = ALL.where(outages.c.service == bindparam("of"))
DELETE = delete(outages).where(outages.c.service == bindparam("of"))
_of_service = outage_jobs.c.service == bindparam("of")
_of_job = outage_jobs.c.job_id == bindparam("job")
SINCE = select(outage_jobs.c.since).where(_of_service, _of_job)
DUE_AT = select(outage_jobs.c.due_at).where(_of_service, _of_job)
# A job that was given another time since then waits for something else, such as a limit of the service.
_waits = and_(
    # An index has the open jobs only.
    text(OPEN),
    jobs.c.state == JobState.READY,
    jobs.c.due_at > bindparam("now"),
    jobs.c.due_at.between(outage_jobs.c.due_at - EXACT, outage_jobs.c.due_at + EXACT),
)
_may_have_arrived = and_(text(OPEN), outage_jobs.c.due_at == NEVER_SOONER)
_joined = outage_jobs.join(jobs, jobs.c.id == outage_jobs.c.job_id)
# Each has been woken so rarely that a message that the service cannot handle is not sent over and over.
_may_be_woken = outage_jobs.c.since + literal_column("((1 << outage_jobs.wakes) - 1)", Integer) <= bindparam("now")
# Jobs that another transaction has locked are left out: it may wait for this one (`postpone`).
WAITING = (
    select(outage_jobs.c.job_id)
    .select_from(_joined)
    .where(_of_service, _waits, _may_be_woken)
    .with_for_update(of=jobs, skip_locked=True)
)
# Those that were attempted least go first, so that one whose message is the cause does not hide the end of an outage.
TRIAL = (
    select(outage_jobs.c.job_id)
    .select_from(_joined)
    .where(_of_service, _waits, jobs.c.created_at > bindparam("after"))
    .order_by(jobs.c.attempts, jobs.c.id)
    .limit(1)
    .with_for_update(of=jobs, skip_locked=True)
)
ANY_OPEN = select(outage_jobs.c.job_id).select_from(_joined).where(_of_service, text(OPEN)).limit(1)
COUNT_WAKE = (
    update(outage_jobs)
    .where(_of_service, outage_jobs.c.job_id.in_(bindparam("ids", expanding=True)))
    .values(wakes=outage_jobs.c.wakes + 1)
)
WAKE = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)), jobs.c.state == JobState.READY)
    .values(due_at=bindparam("now"))
)
DELETE_LOST = delete(outage_jobs).where(_of_service, outage_jobs.c.due_at == NEVER_SOONER, outage_jobs.c.wakes == 0)
EVENT_OF_JOB = (
    select(events.c.id, events.c.resource_luid)
    .join(jobs, jobs.c.event_id == events.c.id)
    .where(jobs.c.id == bindparam("job"))
)
DELETE_ENDED = delete(outage_jobs).where(
    _of_service, ~exists().where(jobs.c.id == outage_jobs.c.job_id, text(OPEN)).correlate(outage_jobs)
)


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of a service. Times are in seconds, by the clock of due times.

    `first_job` is the job whose call failed first. The outage is `confirmed` once a call of another job has failed
    which is not about the same resource: until then the service may be unable to handle only that message or resource.
    """

    since: float
    trial_at: float
    first_job: int
    confirmed: bool = False

    @classmethod
    def begin(cls, job_id: int, now: float, failing_since: float) -> Outage:
        """Return a new outage; the calls of the job have failed since that time, perhaps because of its message."""
        first = cls(failing_since, now, job_id).interval(now)
        return cls(since=now, trial_at=now + first, first_job=job_id)

    def confirm(self, now: float) -> Outage:
        """Return the outage after a call has failed for which the first job is not the cause."""
        confirmed = replace(self, confirmed=True)
        return replace(confirmed, trial_at=min(self.trial_at, now + confirmed.interval(now)))

    def after_trial(self, now: float) -> Outage:
        """Return the outage after a job was chosen to try whether the service works again."""
        return replace(self, trial_at=now + self.interval(now))

    def interval(self, now: float) -> float:
        """Return the seconds between two trials."""
        longest = LONGEST if self.confirmed else LONGEST_UNCONFIRMED
        return min(max(SHARE * (now - self.since), SHORTEST), longest)


@dataclass(frozen=True, slots=True)
class OutageRecord:
    """An outage as shown to people: the service, since when, and how many jobs wait for it.

    Of these, `uncertain` have sent a message that may have arrived.
    """

    service: str
    since: datetime
    waiting: int
    uncertain: int = 0


class Outages:
    """The services that are unavailable, for all processes and machines that use this database.

    See docs/decisions/037-outages.md.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # By service, when this process received its last response, by the monotonic clock.
        self._responses: dict[str, float] = {}
        # The services whose outages are confirmed, as of the last `wake`.
        self._confirmed: frozenset[str] = frozenset()

    def responded(self, service: str) -> None:
        """Remember that the service responds, for the next `wake`; an outage of it is over then."""
        self._responses[service] = time.monotonic()

    def shortest_wait(self, service: str) -> float:
        """Return how many seconds a job waits at least that has failed because of this service."""
        return SHORTEST_WAIT if service in self._confirmed else 0.0

    def postpone(
        self, service: str, job: Job, seconds: float, error: str, *, free: bool, about_resource: bool = False
    ) -> None:
        """Postpone a job as `Jobs.postpone` does because its service is unavailable: it is due sooner if that ends.

        `about_resource`: the resource of the job's event may be the cause, so that its jobs confirm no outage.
        """

        def record(connection: Connection, now: float) -> None:
            self._record_failure(connection, service, job, now, due_at=now + seconds, about_resource=about_resource)

        end_attempt(self._store, job, JobState.READY, "later", error, seconds=seconds, more=int(free), then=record)

    def record_lost(self, service: str, job: Job) -> None:
        """Record that a message of the running job may have arrived: the service may be unavailable.

        The time of the job's next attempt is not changed, neither now nor when the service works again.
        """

        def record(connection: Connection) -> None:
            self._record_failure(connection, service, job, self._store.now(connection), due_at=NEVER_SOONER)

        self._store.write(record)

    def early(self, service: str, job: Job) -> float:
        """Return how many seconds sooner than planned the running job was attempted, because it was woken; else 0."""

        def read(connection: Connection) -> float:
            due_at = connection.execute(DUE_AT, {"of": service, "job": job.id}).scalar()
            return 0.0 if due_at is None else max(0.0, due_at - self._store.now(connection))

        return self._store.read(read) if job.attempts > 1 else 0.0

    def wake(self) -> int:
        """End the outages of services that respond, choose jobs for trials, and return how many jobs are due now.

        Each process calls this about once a second.
        """
        responses, self._responses = self._responses, {}
        try:
            return self._wake(responses)
        except StoreUnavailable:
            for service, at in responses.items():
                self._responses.setdefault(service, at)
            raise

    def _wake(self, responses: Mapping[str, float]) -> int:
        rows = self._store.rows(ALL)
        self._confirmed = frozenset(row["service"] for row in rows if row["confirmed"])
        if not rows:
            return 0
        clock, now = time.monotonic(), self._store.read(self._store.now)
        woken = 0
        for row in rows:
            service = row["service"]
            if service in responses:
                woken += self._end(service, responded_at=now - (clock - responses[service]))
            elif now >= row["trial_at"]:
                woken += self._try(service)
        return woken

    def list(self) -> Sequence[OutageRecord]:
        """Return the outages that are confirmed, the longest first."""
        of_service = select(func.count()).select_from(_joined).where(outage_jobs.c.service == outages.c.service)
        waiting = of_service.where(or_(_waits, _may_have_arrived)).scalar_subquery()
        uncertain = of_service.where(_may_have_arrived).scalar_subquery()
        query = select(outages.c.service, outages.c.since, waiting.label("waiting"), uncertain.label("uncertain"))
        query = query.where(outages.c.confirmed == 1).order_by(outages.c.since)

        def read(connection: Connection) -> Sequence[OutageRecord]:
            now = self._store.now(connection)
            rows = connection.execute(query, {"now": now}).mappings()
            return [
                OutageRecord(
                    row["service"],
                    from_timestamp(self._store.to_wall(row["since"])),
                    row["waiting"],
                    row["uncertain"],
                )
                for row in rows
            ]

        return self._store.read(read)

    def _end(self, service: str, responded_at: float) -> int:
        """End the outage unless it began after the service responded; make all that wait due, and return how many."""

        def end(connection: Connection) -> int:
            outage = self._begin(connection, service)
            if outage is None or outage.since > responded_at:
                return 0
            now = self._store.now(connection)
            ids = connection.execute(WAITING, {"of": service, "now": now}).scalars().all()
            for start in range(0, len(ids), BATCH):
                batch = ids[start : start + BATCH]
                connection.execute(COUNT_WAKE, {"of": service, "ids": batch})
                connection.execute(WAKE, {"ids": batch, "now": now})
            connection.execute(DELETE_LOST, {"of": service})
            connection.execute(DELETE, {"of": service})
            return len(ids)

        return self._store.write(end)

    def _try(self, service: str) -> int:
        """Make one of the jobs that wait due, so that it tries the service; forget an outage for which none waits."""

        def choose(connection: Connection) -> int:
            outage, now = self._begin(connection, service), self._store.now(connection)
            if outage is None or now < outage.trial_at:
                return 0
            # A limit that makes an older one wait would cost it an attempt.
            after = self._store.to_wall(now) - FREE_WAITS.total_seconds()
            ids = connection.execute(TRIAL, {"of": service, "now": now, "after": after}).scalars().all()
            if ids:
                connection.execute(WAKE, {"ids": ids, "now": now})
            elif connection.execute(ANY_OPEN, {"of": service}).first() is None:
                connection.execute(DELETE, {"of": service})
                return 0
            self._save(connection, service, outage.after_trial(now))
            return len(ids)

        return self._store.write(choose)

    def _record_failure(
        self,
        connection: Connection,
        service: str,
        job: Job,
        now: float,
        *,
        due_at: float,
        about_resource: bool = False,
    ) -> None:
        stored = self._begin(connection, service)
        if stored is None:
            outage = self._new(connection, service, job, now)
        elif stored.confirmed or self._same_cause(connection, stored.first_job, job, about_resource=about_resource):
            outage = stored
        else:
            outage = stored.confirm(now)
        if outage != stored:
            self._save(connection, service, outage)
        row = self._store.upsert(outage_jobs).values(service=service, job_id=job.id, since=now, due_at=due_at, wakes=0)
        new = {"due_at": row.excluded.due_at}
        connection.execute(row.on_conflict_do_update(index_elements=["job_id", "service"], set_=new))

    def _begin(self, connection: Connection, service: str) -> Outage | None:
        """Return the outage, which no other process changes until the end of the transaction."""
        self._store.serialize(connection, [f"outage {service}"])
        row = connection.execute(STORED, {"of": service}).mappings().first()
        return Outage(row["since"], row["trial_at"], row["first_job"], bool(row["confirmed"])) if row else None

    def _new(self, connection: Connection, service: str, job: Job, now: float) -> Outage:
        """Return an outage that begins with this job; jobs that have ended since the last one are forgotten."""
        connection.execute(DELETE_ENDED, {"of": service})
        since = connection.execute(SINCE, {"of": service, "job": job.id}).scalar()
        return Outage.begin(job.id, now, now if since is None else since)

    @staticmethod
    def _same_cause(connection: Connection, first_job: int, job: Job, *, about_resource: bool) -> bool:
        """Return whether the calls of the two jobs may fail for the same reason although the service works."""
        if job.id == first_job or not about_resource:
            return job.id == first_job
        first = connection.execute(EVENT_OF_JOB, {"job": first_job}).first()
        luid = job.event.resource_luid
        return first is not None and (first.id == job.event.id or bool(luid and first.resource_luid == luid))

    def _save(self, connection: Connection, service: str, outage: Outage) -> None:
        new = {**asdict(outage), "confirmed": int(outage.confirmed)}
        row = self._store.upsert(outages).values(service=service, **new)
        connection.execute(row.on_conflict_do_update(index_elements=["service"], set_=new))
