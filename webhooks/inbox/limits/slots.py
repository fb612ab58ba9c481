"""Slots: the times at which jobs make calls that have to wait for a limit of a service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Double, RowMapping, and_, bindparam, delete, func, not_, or_, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.limits.limit_sql import EARLY, LOST
from webhooks.inbox.limits.tables import slots
from webhooks.incidents.policy import URGENCIES
from webhooks.job import JobState

# A call that is late by up to this many seconds counts as made in time, so that those behind it need not wait as well.
# Services tolerate two calls that are closer than usual.
LATE = 0.5
# A call that has waited this long keeps its slot, so that more urgent ones do not starve it; except for counts, which
# are shown while nothing else needs the limit: many of them would keep an act of a person waiting.
PATIENCE = 60.0
COUNT = URGENCIES.index("count")

_waiting = and_(
    slots.c.key == bindparam("key"), slots.c.due_at > bindparam("after"), slots.c.job_id != bindparam("job")
)
_is_patient = and_(slots.c.asked_at <= bindparam("patient"), slots.c.rank < COUNT)
_is_behind = and_(slots.c.rank > bindparam("rank"), not_(_is_patient))
NEXT = select(func.min(slots.c.due_at)).where(_waiting)
LAST_AHEAD = select(func.max(slots.c.due_at)).where(_waiting, or_(slots.c.rank <= bindparam("rank"), _is_patient))
FIRST_BEHIND = (
    select(slots.c.job_id, slots.c.rank, slots.c.due_at, slots.c.asked_at)
    .where(_waiting, _is_behind)
    .order_by(slots.c.due_at)
    .limit(1)
)
OWN = (
    select(slots.c.rank, slots.c.due_at, slots.c.asked_at)
    .where(slots.c.job_id == bindparam("job"), slots.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(slots.c.due_at.desc())
)
# Before that time no job comes any more.
DELETE = delete(slots).where(
    or_(slots.c.job_id == bindparam("job"), slots.c.due_at < bindparam("before")),
    slots.c.key.in_(bindparam("keys", expanding=True)),
)
MAX_AGE = 3600.0
MOVE = update(slots).where(slots.c.key == bindparam("of_key"), slots.c.job_id == bindparam("of_job"))
# Only if the job waits for nothing else.
POSTPONE = update(jobs).where(
    jobs.c.id == bindparam("of_job"),
    jobs.c.state == JobState.READY,
    jobs.c.due_at.between(bindparam("not_before", type_=Double), bindparam("not_after", type_=Double)),
)


class Limit(Protocol):
    """A limit of a service, such as one message per second in a channel."""

    @property
    def key(self) -> str:
        """The name of what is counted."""

    @property
    def spacing(self) -> timedelta:
        """The time between two calls in the long run."""

    @property
    def tolerance(self) -> timedelta:
        """The time by which a call may be earlier than that, because the service accepts several at once."""

    def reserve(self, used_until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
        """Return when the next call may be made, and the time to store for the call after it."""


@dataclass(slots=True)
class Usage:
    """The use of a limit: until when it is used up, and its last slot, in seconds since 1970."""

    limit: Limit
    key: str
    until: float
    last: float

    def free_at(self, wall: float, *, spare: bool) -> float:
        """Return when a call can be made; with `spare`, the calls that may be made at once are left to others."""
        start, _ = self.limit.reserve(from_timestamp(self.until), from_timestamp(wall))
        return max(self.until, wall) if spare else start.timestamp()

    def after(self, at: float) -> float:
        """Return until when the limit is used after a call at that time."""
        return self.limit.reserve(from_timestamp(self.until), from_timestamp(at))[1].timestamp()

    def delays(self, at: float, wall: float) -> bool:
        """Return whether a call now delays one at that time."""
        start, _ = self.limit.reserve(from_timestamp(self.after(wall)), from_timestamp(at))
        return start.timestamp() > at + EARLY


@dataclass(frozen=True, slots=True)
class Call:
    """A call that asks for its time; `asked_at` is when it did so first. `late`: it has missed its slot."""

    job: int
    rank: int
    asked_at: float
    spare: bool = False
    late: bool = False


def find_slot(connection: Connection, usage: Usage, call: Call, wall: float) -> tuple[float, RowMapping | None]:
    """Return when the call can be made, and the less urgent one that has to leave this slot to it, if there is one."""
    free_at = usage.free_at(wall, spare=call.spare)
    if usage.last <= wall - LOST or (call.late and free_at - wall <= LATE):
        return free_at, None
    values = {"key": usage.key, "job": call.job, "after": wall - LOST, "patient": wall - PATIENCE}
    # One that was late goes before its equals.
    values["rank"] = call.rank - call.late
    upcoming = connection.execute(NEXT, values).scalar()
    if upcoming is None or (free_at <= wall + EARLY and not usage.delays(upcoming, wall)):
        return free_at, None
    spacing = usage.limit.spacing.total_seconds()
    ahead = connection.execute(LAST_AHEAD, values).scalar()
    earliest = max(free_at, ahead + spacing if ahead is not None else wall)
    behind = connection.execute(FIRST_BEHIND, {**values, "after": earliest - EARLY}).mappings().first()
    if behind is None or behind["due_at"] >= earliest + spacing:
        return earliest, None
    return behind["due_at"], behind


def take_slot(store: Store, connection: Connection, usage: Usage, call: Call, now: float) -> float:
    """Give the call a slot and return its time; calls that have to leave theirs, and their jobs, are moved.

    `now` is the store's time.
    """
    wall = store.to_wall(now)
    due_at, behind = find_slot(connection, usage, call, wall)
    new = {"rank": call.rank, "due_at": due_at, "asked_at": call.asked_at}
    row = store.upsert(slots).values(key=usage.key, job_id=call.job, **new)
    connection.execute(row.on_conflict_do_update(index_elements=["key", "job_id"], set_=new))
    usage.last = max(usage.last, due_at)
    while behind is not None:
        # Each is less urgent than the one before it.
        moved, old = Call(behind["job_id"], behind["rank"], behind["asked_at"]), behind["due_at"]
        later, behind = find_slot(connection, usage, moved, wall)
        later = max(later, old)
        this: dict[str, Any] = {"of_key": usage.key, "of_job": moved.job}
        connection.execute(MOVE, {**this, "due_at": later})
        due = {"not_before": now + old - wall - EARLY, "not_after": now + old - wall + LOST}
        connection.execute(POSTPONE, {"of_job": moved.job, **due, "due_at": now + later - wall})
        usage.last = max(usage.last, later)
    return due_at
