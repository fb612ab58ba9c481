"""Lists of events and dead letters without their bodies, page by page, at a bounded cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select, text

from webhooks.clock import from_timestamp
from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import EVENT_STATES, events
from webhooks.inbox.jobs.tables import DEAD, OPEN, attempts, jobs
from webhooks.inbox.queries import RARE, event_filters, name_filter
from webhooks.job import JobState, failed_attempts, shown_state

STATE_COLUMNS = (jobs.c.id, jobs.c.state, jobs.c.attempts)
COLUMNS = [column for column in events.c if column.name not in {"body", "fingerprint", "rules_version"}]
# Ids that one search looks through: only ids have an index, which receiving pays for.
WINDOW = 10_000
# Jobs whose rules are counted.
RECENT_JOBS = 2000
# Dead jobs that are grouped by their causes.
MAX_DEAD = 5000


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as a list shows it; `jobs` has the number of its jobs by state."""

    id: int
    event_type: str
    resource_name: str
    resource_luid: str
    site_luid: str
    received_at: datetime
    state: str
    duplicates: int
    jobs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of events, newest first.

    `older` is the id before which the next page begins, None at the end of the list. `searched_to` is set if the search
    ended before it had found a whole page.
    """

    lines: Sequence[EventLine]
    older: int | None
    searched_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadCause:
    """Dead jobs with the same handler and error; `job_ids` are some of them, newest first."""

    handler: str
    rule: str | None
    error: str
    number: int
    last_at: datetime | None
    job_ids: Sequence[int]
    event_ids: Sequence[int]


class EventLists:
    """Lists of events, and of dead jobs by their causes."""

    def __init__(self, store: Store, scope: Scope = WHOLE) -> None:
        self._store, self._scope = store, scope

    def page(
        self,
        *,
        event_types: Collection[str] = (),
        names: Collection[str] = (),
        states: Collection[str] = (),
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> EventPage:
        """Return events of these types, names or LUIDs (patterns), and states. Raises ValueError for another state.

        A search looks through a limited number of events and returns what it has found there.
        """
        filters = [*event_filters(event_types=(), resources=(), states=states, since=since, after=None, before=before)]
        if event_types:
            filters.append(or_(*(name_filter(events.c.event_type, pattern) for pattern in event_types)))
        if names:
            either = (events.c.resource_name, events.c.resource_luid)
            filters.append(or_(*(name_filter(column, name) for name in names for column in either)))
        filters += self._scope.events()
        is_narrow = bool(event_types or names or set(states) - RARE or not self._scope.is_whole)

        def read(connection: Connection) -> EventPage:
            newest = before or (connection.execute(select(func.max(events.c.id))).scalar() or 0) + 1
            bottom = newest - WINDOW if is_narrow else 0
            query = select(*COLUMNS).where(*filters, events.c.id >= bottom)
            rows = connection.execute(query.order_by(events.c.id.desc()).limit(limit + 1)).mappings().all()
            shown = rows[:limit]
            by_event = _job_states(connection, [row["id"] for row in shown])
            lines = [_line(row, by_event.get(row["id"], {})) for row in shown]
            if len(rows) > limit:
                return EventPage(lines, shown[-1]["id"])
            oldest = select(events.c.received_at).where(events.c.id < bottom).order_by(events.c.id.desc()).limit(1)
            left = connection.execute(oldest).scalar() if bottom > 0 else None
            if left is None or (since is not None and left < since.timestamp()):
                return EventPage(lines, None)
            return EventPage(lines, bottom, from_timestamp(left))

        return self._store.read(read)

    def dead_by_cause(self) -> list[DeadCause]:
        """Return the newest dead jobs, grouped by handler, rule and error; those that died last come first."""
        columns = (jobs.c.id, jobs.c.event_id, jobs.c.handler, jobs.c.rule, jobs.c.error, jobs.c.finished_at)
        query = (
            select(*columns).where(text(DEAD), *self._scope.jobs()).order_by(jobs.c.finished_at.desc()).limit(MAX_DEAD)
        )
        groups: dict[tuple[str, str | None, str], list[tuple[int, int, float | None]]] = {}
        for row in self._store.rows(query):
            key = (row["handler"], row["rule"], row["error"] or "unknown reason")
            groups.setdefault(key, []).append((row["id"], row["event_id"], row["finished_at"]))
        return [
            DeadCause(
                handler=handler,
                rule=rule,
                error=error,
                number=len(members),
                last_at=None if members[0][2] is None else from_timestamp(members[0][2]),
                job_ids=[member[0] for member in members],
                event_ids=[*dict.fromkeys(member[1] for member in members)],
            )
            for (handler, rule, error), members in groups.items()
        ]

    def dead_jobs(self, job_ids: Sequence[int]) -> set[int]:
        """Return those of the jobs that are dead and in the scope."""
        query = select(jobs.c.id).where(text(DEAD), jobs.c.id.in_(job_ids), *self._scope.jobs())
        return {row["id"] for row in self._store.rows(query)}

    def rule_activity(self) -> dict[str, dict[str, int]]:
        """Return the states of the jobs of each rule, among the newest jobs."""
        newest = select(func.max(jobs.c.id)).scalar_subquery()
        query = select(*STATE_COLUMNS, jobs.c.rule)
        query = query.where(jobs.c.id > newest - RECENT_JOBS, jobs.c.rule.is_not(None), *self._scope.jobs())

        def read(connection: Connection) -> dict[str, dict[str, int]]:
            found: dict[str, dict[str, int]] = {}
            for row, word in _with_words(connection, connection.execute(query).mappings().all()):
                states = found.setdefault(row["rule"], {})
                states[word] = states.get(word, 0) + 1
            return found

        return self._store.read(read)

    def open_jobs(self) -> int:
        """Return the number of jobs that wait or run."""
        query = select(func.count()).select_from(jobs).where(text(OPEN), *self._scope.jobs())
        return int(self._store.scalar(query) or 0)

    def existing(self, event_ids: Sequence[int]) -> list[int]:
        """Return those of the events that are in the scope, in their order."""
        query = select(events.c.id).where(events.c.id.in_(event_ids), *self._scope.events())
        found = {row["id"] for row in self._store.rows(query)}
        return [event_id for event_id in dict.fromkeys(event_ids) if event_id in found]

    def visible_jobs(self, job_ids: Sequence[int]) -> Sequence[int]:
        """Return those of the jobs that are in the scope."""
        if self._scope.is_whole:
            return job_ids
        query = select(jobs.c.id).where(jobs.c.id.in_(job_ids), *self._scope.jobs())
        return [row["id"] for row in self._store.rows(query)]


def _job_states(connection: Connection, event_ids: Sequence[int]) -> dict[int, Counter[str]]:
    query = select(*STATE_COLUMNS, jobs.c.event_id).where(jobs.c.event_id.in_(event_ids))
    found: dict[int, Counter[str]] = {}
    for row, word in _with_words(connection, connection.execute(query).mappings().all()):
        found.setdefault(row["event_id"], Counter())[word] += 1
    return found


def _with_words(connection: Connection, rows: Sequence[RowMapping]) -> Iterator[tuple[RowMapping, str]]:
    """Yield rows with STATE_COLUMNS, each with the state of its job as people see it."""
    attempted = [row["id"] for row in rows if row["state"] == JobState.READY and row["attempts"]]
    outcomes: dict[int, list[tuple[int, str]]] = {}
    if attempted:
        query = select(attempts.c.job_id, attempts.c.number, attempts.c.outcome).where(attempts.c.job_id.in_(attempted))
        for job_id, number, outcome in connection.execute(query.order_by(attempts.c.id)):
            outcomes.setdefault(job_id, []).append((number, outcome))
    for row in rows:
        failed = failed_attempts(outcomes.get(row["id"], ()))
        yield row, shown_state(JobState(row["state"]), row["attempts"], failed)


def _line(row: RowMapping, by_state: Mapping[str, int]) -> EventLine:
    return EventLine(
        id=row["id"],
        event_type=row["event_type"],
        resource_name=row["resource_name"] or "",
        resource_luid=row["resource_luid"] or "",
        site_luid=row["site_luid"] or "",
        received_at=from_timestamp(row["received_at"]),
        state=EVENT_STATES.get(row["state"], "received"),
        duplicates=row["duplicates"],
        jobs=by_state,
    )
