"""What happened: lists of events and jobs, dead letters, and replay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, text, update

from webhooks.event import Event
from webhooks.inbox.databases.store import moment
from webhooks.inbox.dead_letters import Deaths
from webhooks.inbox.jobs import revive
from webhooks.inbox.records import (
    Attempt,
    EventRecord,
    JobRecord,
    attempt_of,
    event_of,
    event_record,
    job_of,
)
from webhooks.inbox.schema import (
    DEAD,
    EVENT_STATES,
    OPEN,
    RECEIVED,
    UNPLANNED,
    attempts,
    events,
    jobs,
)
from webhooks.job import OPEN_STATES, JobState

JOB_STATES = {state.word: state for state in JobState}
RARE = {JobState.READY.word, JobState.RUNNING.word, JobState.DEAD.word}
STATES = (*EVENT_STATES.values(), *JOB_STATES)
"""Words that `state` filters by: an event's own, or the state of one of its jobs."""


class History(Deaths):
    """Everything that is asked of the inbox after the fact."""

    def events(
        self,
        *,
        event_type: str | None = None,
        resource: str | None = None,
        state: str | None = None,
        since: datetime | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[EventRecord]:
        """Kept events, newest first.

        `resource` is a LUID or a name with `*` and `?`; `state` is one of STATES; `after` gives those with a greater
        id, oldest first. Raises ValueError for an unknown state.
        """
        found = select(events).limit(limit).order_by(events.c.id if after is not None else events.c.id.desc())
        for condition in _conditions(event_type, resource, state, since, after):
            found = found.where(condition)
        return self.store.read(lambda connection: _records(connection, found))

    def event(self, event_id: int) -> EventRecord | None:
        """One event with its jobs and their attempts, or None."""
        found = self.store.read(lambda connection: _records(connection, select(events).where(events.c.id == event_id)))
        return found[0] if found else None

    def replay(self, event_ids: Sequence[int]) -> int:
        """Runs the events again: every ended job is ready anew, and rules that are new since then are planned.

        Returns the number of events that there were to replay.
        """
        return self.store.write(lambda connection: self._replay(connection, event_ids))

    def replay_dead(
        self, since: datetime | None = None, limit: int = 1000, *, event_ids: Sequence[int] | None = None
    ) -> int:
        """Makes dead jobs ready again, those that died at or after `since`, of these events; returns how many."""
        found = select(jobs.c.id).where(text(DEAD)).order_by(jobs.c.finished_at).limit(limit)
        if since is not None:
            found = found.where(jobs.c.finished_at >= since.timestamp())
        if event_ids is not None:
            found = found.where(jobs.c.event_id.in_(event_ids))

        def again(connection: Connection) -> int:
            now = self.store.seconds(connection)
            return revive(connection, connection.execute(found).scalars().all(), now, self.store.wall(now))

        return self.store.write(again)

    def counts(self) -> dict[str, float]:
        """Figures for metrics: backlog, dead letters, age of the oldest due job in seconds, newest event, bytes."""
        now = self.store.now()
        wanted: dict[str, Select[Any]] = {
            "events": select(func.max(events.c.id)),
            "unplanned": select(func.count()).select_from(events).where(text(UNPLANNED)),
            "ready": select(func.count()).select_from(jobs).where(text(OPEN), jobs.c.state == JobState.READY),
            "running": select(func.count()).select_from(jobs).where(text(OPEN), jobs.c.state == JobState.RUNNING),
            "dead": select(func.count()).select_from(jobs).where(text(DEAD)),
            "oldest_due": select(now - func.min(jobs.c.due_at)).where(text(OPEN)),
            "newest_event": select(events.c.received_at).order_by(events.c.id.desc()).limit(1),
        }
        figures = self.store.read(
            lambda connection: {name: connection.execute(query).scalar() for name, query in wanted.items()}
        )
        return {name: max(float(value or 0), 0.0) for name, value in figures.items()} | {"bytes": self.store.size()}

    def _replay(self, connection: Connection, event_ids: Sequence[int]) -> int:
        ended = select(jobs.c.id).where(jobs.c.event_id.in_(event_ids), jobs.c.state.not_in(OPEN_STATES))
        now = self.store.seconds(connection)
        revive(connection, connection.execute(ended).scalars().all(), now, self.store.wall(now))
        # One that waits for its next attempt need not wait any longer.
        waits = and_(jobs.c.event_id.in_(event_ids), jobs.c.state == int(JobState.READY), jobs.c.due_at > now)
        connection.execute(update(jobs).where(waits).values(due_at=now))
        again = update(events).where(events.c.id.in_(event_ids)).values(state=RECEIVED)
        return connection.execute(again).rowcount


def _conditions(
    event_type: str | None, resource: str | None, state: str | None, since: datetime | None, after: int | None
) -> Iterable[ColumnElement[bool]]:
    if event_type:
        yield events.c.event_type == event_type
    if resource:
        pattern = _like(resource)
        yield (events.c.resource_luid == resource) | events.c.resource_name.ilike(pattern, escape="\\")
    if state:
        yield _state(state)
    if since:
        yield events.c.received_at >= since.timestamp()
    if after is not None:
        yield events.c.id > after


def _state(word: str) -> ColumnElement[bool]:
    for number, name in EVENT_STATES.items():
        if name == word:
            return events.c.state == number
    if word not in JOB_STATES:
        raise ValueError(f"no such state: {word}; there are {', '.join(STATES)}")
    # The number stands in the text, so that a partial index serves: few jobs are open or dead, most are done.
    state = text(f"jobs.state = {JOB_STATES[word].value}")
    if word in RARE:
        return events.c.id.in_(
            select(jobs.c.event_id).where(text(OPEN) if JOB_STATES[word] in OPEN_STATES else text(DEAD), state)
        )
    return select(jobs.c.id).where(jobs.c.event_id == events.c.id, state).exists()


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _records(connection: Connection, found: Select[Any]) -> list[EventRecord]:
    rows = [dict(row) | {"event_id": row["id"]} for row in connection.execute(found).mappings()]
    if not rows:
        return []
    kept = {row["id"]: event_of(row) for row in rows}
    jobs_of = _jobs(connection, kept)
    return [event_record(row, tuple(jobs_of[row["id"]])) for row in rows]


def _jobs(connection: Connection, kept: dict[int, Event]) -> dict[int, list[JobRecord]]:
    of_these = jobs.c.event_id.in_(list(kept))
    rows = connection.execute(select(jobs).where(of_these).order_by(jobs.c.id)).mappings().all()
    tries: dict[int, list[Attempt]] = defaultdict(list)
    made = select(attempts).join_from(attempts, jobs).where(of_these).order_by(attempts.c.id)
    for row in connection.execute(made).mappings():
        tries[row["job_id"]].append(attempt_of(row))
    found: dict[int, list[JobRecord]] = defaultdict(list)
    for row in rows:
        job = job_of(row, kept[row["event_id"]])
        found[row["event_id"]].append(JobRecord(job, tuple(tries[row["id"]]), moment(row["told_at"])))
    return found
