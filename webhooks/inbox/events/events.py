"""Receive events, plan them into jobs, find them, replay them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, func, select, text, update

from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.event_types import HEARTBEAT_DUE, HEARTBEAT_RESOURCE
from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.errors import can_pass
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.pending_receipt import PendingReceipt
from webhooks.inbox.events.tables import IGNORED, PLANNED, RECEIVED, UNPLANNED, events, synthetic_events
from webhooks.inbox.jobs.rows import insert_jobs, job_row, requeue_jobs
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.queries import EVENT_QUERY, RECORD_QUERY, event_filters, event_records
from webhooks.inbox.records import EventRecord, EventSummary, Receipt, event_of, summary_of
from webhooks.job import OPEN_STATES, JobState, NewJob, planning_failure
from webhooks.observability.tracing import span

# What plans need of runs and incidents is imported there: commands that list events plan none.
if TYPE_CHECKING:
    from webhooks.inbox.incidents.deletions import Deletion
    from webhooks.incidents import RunEvidence

log = logging.getLogger(__name__)

JobPlanner = Callable[[Event], Sequence[NewJob]]
Plans = Mapping[int | None, "EventPlan"]
Records = list[EventRecord]

# Jobs in one transaction, or a few more: acknowledgements wait for it.
MAX_JOBS = 500
PAGE = 500

# Only events of the server's own: what is sent from outside is always listed.
HEARTBEATS = select(synthetic_events.c.event_id).where(
    synthetic_events.c.resource_luid == HEARTBEAT_RESOURCE, synthetic_events.c.event_type == HEARTBEAT_DUE
)
UNPLANNED_EVENTS = EVENT_QUERY.where(text(UNPLANNED)).order_by(events.c.id).limit(bindparam("most"))
MARK = (
    update(events)
    .where(events.c.id.in_(bindparam("ids", expanding=True)), events.c.state == RECEIVED)
    .values(state=bindparam("new_state"), rules_version=bindparam("rules_version"))
    .returning(events.c.id)
)


@dataclass(frozen=True, slots=True)
class EventPlan:
    """The rows of one event's jobs, none if it is ignored, its evidence about a run, and the content it deletes."""

    job_rows: list[dict[str, Any]]
    evidence: RunEvidence | None
    deletion: Deletion | None = None


class Events:
    """Stored events. `news` is set after each commit that adds work."""

    def __init__(self, store: Store, news: threading.Event, scope: Scope = WHOLE) -> None:
        self._store, self._news, self._scope = store, news, scope
        self._unavailable = False

    def receive(self, event: Event) -> Receipt:
        """Store the event and return when it is on disk. Raises StoreUnavailable when that takes too long."""
        with span("commit") as commit:
            receipt = self.begin(event).wait()
            commit.set(event=receipt.id)
        return receipt

    def begin(self, event: Event, on_complete: Callable[[], None] | None = None) -> PendingReceipt:
        """Let the event wait for its commit, and return what will be its receipt; every error is raised by that.

        `on_complete` is called once, by another thread, and must return at once. This waits for nothing.
        """
        fields = (event.event_type, event.resource_luid, event.resource_name, event.site_luid)
        row = (event.fingerprint, event.body, *map(_searchable, fields))
        return PendingReceipt(self._store.begin_insert(row, on_complete), self._receipt)

    def _receipt(self, outcome: Callable[[], tuple[int, int]]) -> Receipt:
        try:
            event_id, duplicates = outcome()
        except StoreUnavailable as error:
            # Logged once: all senders retry while the database is unavailable.
            if not self._unavailable:
                self._unavailable = True
                log.error("Cannot store events, responding 503: %s", error)  # noqa: TRY400 - the cause is in the text
            raise
        if self._unavailable:
            self._unavailable = False
            log.warning("Events can be stored again")
        if not duplicates:
            self._news.set()
        return Receipt(event_id, duplicates > 0)

    def get(self, event_id: int) -> EventRecord | None:
        """Return an event with its jobs and their attempts, or None."""
        query = RECORD_QUERY.where(events.c.id == event_id, *self._scope.events())
        found = self._store.read(lambda connection: event_records(connection, query))
        return found[0] if found else None

    def list(
        self,
        *,
        event_types: Collection[str] = (),
        resources: Collection[str] = (),
        states: Collection[str] = (),
        since: datetime | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Records:
        """Return stored events, newest first.

        A resource is a LUID or a name with `*` and `?`, a state one of STATES; of several values, one has to match.
        `before` returns events with a smaller id, `after` those with a greater one, oldest first. Heartbeats are left
        out unless their type or resource is given. Raises ValueError for an unknown state.
        """
        order = events.c.id if after is not None else events.c.id.desc()
        filters = event_filters(
            event_types=event_types, resources=resources, states=states, since=since, after=after, before=before
        )
        hidden = () if event_types or resources else (events.c.id.not_in(HEARTBEATS),)
        query = RECORD_QUERY.where(*filters, *hidden, *self._scope.events()).order_by(order).limit(limit)
        return self._store.read(lambda connection: event_records(connection, query))

    def count_since(self, since: datetime) -> int:
        """Return how many events have been received since then."""
        query = select(func.count()).select_from(events).where(events.c.received_at >= since.timestamp())
        return int(self._store.scalar(query) or 0)

    def replay(self, event_ids: Sequence[int]) -> int:
        """Run the jobs of these events again and plan the events again, by the rules of now.

        Returns the number of events found.
        """
        these = select(events.c.id).where(events.c.id.in_(event_ids), *self._scope.events())
        finished = select(jobs.c.id).where(jobs.c.event_id.in_(these), jobs.c.state.not_in(OPEN_STATES))
        again = update(events).where(events.c.id.in_(these)).values(state=RECEIVED)

        def replay(connection: Connection) -> int:
            now = self._store.now(connection)
            ids = connection.execute(finished).scalars().all()
            requeue_jobs(connection, ids, now=now, wall=self._store.to_wall(now))
            # A job that waits for its next attempt is due at once.
            waits = and_(jobs.c.event_id.in_(these), jobs.c.state == int(JobState.READY), jobs.c.due_at > now)
            connection.execute(update(jobs).where(waits).values(due_at=now))
            return connection.execute(again).rowcount

        return self._store.write(replay)

    def plan(self, planner: JobPlanner, limit: int = 100, *, rules_version: int | None = None) -> int:
        """Turn received events into the jobs that `planner` returns, or mark them as ignored. Returns how many."""
        return self.save_plans(self.plans(planner, limit), rules_version=rules_version)

    def plans(self, planner: JobPlanner, limit: int) -> Plans:
        """Return the jobs of up to `limit` unplanned events without storing them.

        This does everything but the SQL outside the transaction, for which other processes wait. The planner reports
        its own failures as jobs; it raises only StoreUnavailable. Jobs that cannot be stored are replaced by one that
        reports it.
        """
        from webhooks.inbox.incidents.deletions import deletion  # noqa: PLC0415 - see above
        from webhooks.incidents import evidence  # noqa: PLC0415 - see above

        plans: dict[int | None, EventPlan] = {}
        left = MAX_JOBS
        for row in self._store.rows(UNPLANNED_EVENTS, {"most": limit}):
            event = event_of(row)
            new = planner(event)
            try:
                rows = [job_row(event.id, job) for job in new]
                plan = EventPlan(rows, None, None)
                if not event.defect:
                    plan = EventPlan(rows, evidence(event), deletion(event))
            except (TypeError, ValueError, RecursionError) as error:
                log.exception("Planning failed: event=%s", event.id)
                failure = planning_failure(f"{type(error).__name__}: {error}")
                plan = EventPlan([job_row(event.id, failure)], None)
            plans[event.id] = plan
            left -= len(plan.job_rows)
            if left <= 0:
                break
        return plans

    def save_plans(self, plans: Plans, *, rules_version: int | None = None) -> int:
        """Store the plans and return how many events were planned, without those that another process planned."""
        if not plans:
            return 0

        def save(connection: Connection) -> int:
            return self.insert_plans(connection, plans, now=self._store.now(connection), rules_version=rules_version)

        return self._store.write(save)

    def insert_plans(
        self, connection: Connection, plans: Plans, *, now: float, rules_version: int | None = None
    ) -> int:
        """Do the same within a transaction, at the time `now`."""
        with_jobs = [event_id for event_id, plan in plans.items() if plan.job_rows]
        without_jobs = [event_id for event_id, plan in plans.items() if not plan.job_rows]
        planned = _mark(connection, PLANNED, with_jobs, rules_version)
        ignored = _mark(connection, IGNORED, without_jobs, rules_version)
        wall = self._store.to_wall(now)
        times = {"due_at": now, "created_at": wall}
        stored = [plan for event_id, plan in plans.items() if event_id in planned or event_id in ignored]
        insert_jobs(connection, [row | times for plan in stored for row in plan.job_rows])
        pieces = [plan.evidence for plan in stored if plan.evidence]
        deletions = [plan.deletion for plan in stored if plan.deletion]
        self._record(pieces, deletions, connection, now=now, wall=wall)
        return len(planned) + len(ignored)

    def _record(
        self,
        pieces: Sequence[RunEvidence],
        deletions: Sequence[Deletion],
        connection: Connection,
        *,
        now: float,
        wall: float,
    ) -> None:
        """Store what events say about runs, and the incidents that change; an error must not stop the planning.

        It concerns only the content whose runs or incidents are damaged.
        """
        from webhooks.inbox.incidents.deletions import close_deleted  # noqa: PLC0415 - see above
        from webhooks.inbox.incidents.updates import record_evidence  # noqa: PLC0415 - see above

        def record(pieces: Sequence[RunEvidence], deletions: Sequence[Deletion]) -> bool:
            about: list[RunEvidence | Deletion] = [*pieces, *deletions]
            connection.exec_driver_sql("SAVEPOINT incidents")
            try:
                record_evidence(self._store, connection, pieces, now=now, wall=wall)
                close_deleted(self._store, connection, deletions, now=now, wall=wall)
            except Exception as error:
                if can_pass(error):
                    raise
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT incidents")
                connection.exec_driver_sql("RELEASE SAVEPOINT incidents")
                log.exception("Runs not recorded: %s", ", ".join(f"event={one.event_id}" for one in about))
                return False
            connection.exec_driver_sql("RELEASE SAVEPOINT incidents")
            return True

        contents = {*(one.resource_luid for one in pieces), *(one.resource_luid for one in deletions)}
        if contents and not record(pieces, deletions) and len(contents) > 1:
            for luid in contents:
                record(
                    [one for one in pieces if one.resource_luid == luid],
                    [one for one in deletions if one.resource_luid == luid],
                )

    def oldest_unplanned(self) -> int | None:
        """Return the id of the oldest event that is not planned, or None."""
        query = select(events.c.id).where(text(UNPLANNED)).order_by(events.c.id).limit(1)
        found: int | None = self._store.scalar(query)
        return found

    def received_since(self, since: datetime) -> Sequence[EventSummary]:
        """Return the events received since that time, newest first, including synthetic ones.

        Reads page by page from the end, because only ids have an index.
        """
        oldest = since.timestamp()
        found: list[EventSummary] = []
        query = EVENT_QUERY.order_by(events.c.id.desc()).limit(PAGE)
        page = query
        while True:
            rows = self._store.rows(page)
            summaries = [summary for summary in map(summary_of, map(event_of, rows)) if summary.received_at]
            found += [summary for summary in summaries if summary.received_at >= oldest]
            if len(rows) < PAGE or (summaries and summaries[-1].received_at < oldest):
                return found
            page = query.where(events.c.id < rows[-1]["event_id"])

    def received_times(self, limit: int = 1000) -> Sequence[float]:
        """Return when the last `limit` events were received from outside, newest first, in seconds since 1970."""
        outside = events.c.id.not_in(select(synthetic_events.c.event_id))
        query = select(events.c.received_at).where(outside).order_by(events.c.id.desc()).limit(limit)
        return [row["received_at"] for row in self._store.rows(query)]


def _mark(connection: Connection, state: int, event_ids: Sequence[int | None], rules_version: int | None) -> set[int]:
    """Give received events their state, and return the ids of those that no other process planned before."""
    if not event_ids:
        return set()
    values = {"ids": event_ids, "new_state": state, "rules_version": rules_version}
    return set(connection.execute(MARK, values).scalars())


def _searchable(value: Any) -> str | None:
    """Return a payload's value as searchable text; PostgreSQL's text type has no NUL."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\0", "\ufffd")
