"""Refreshes that are expected: from Tableau's tasks, from the past, or declared; and whether they came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as day_time

from webhooks.incidents import Run
from webhooks.incidents.evidence import ResourceKind
from webhooks.watches.recurrence import DAY, PERIODS, Recurrence
from webhooks.watches.rhythm import Rhythm

# Tableau suspends a schedule after this many failures in a row, unless an administrator has changed the limit.
# https://help.tableau.com/current/server/en-us/schedule_enable.htm
STRIKE_LIMIT = 5
# Clocks differ, and a run may begin a little before its time.
EARLY = timedelta(minutes=5)
LEARNED_EARLY = timedelta(hours=2)
# The beginnings of `task` in expectations that do not come from a task of Tableau.
LEARNED, DECLARED = "learned ", "declared "


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """A refresh task of Tableau. `is_active`: no administrator has suspended its schedule.

    `strikes` is Tableau's count of failures in a row. `recurrence` is None where Tableau describes no schedule.
    """

    luid: str
    resource_luid: str
    resource_kind: ResourceKind
    frequency: str = ""
    next_run_at: datetime | None = None
    strikes: int = 0
    is_active: bool = True
    recurrence: Recurrence | None = None

    @property
    def is_suspended(self) -> bool:
        """Return whether Tableau has suspended the task; the schedule may run other tasks."""
        return self.strikes >= STRIKE_LIMIT

    @property
    def period(self) -> timedelta | None:
        """Return the shortest time between two runs; None if it is unknown."""
        return self.recurrence.period if self.recurrence else PERIODS.get(self.frequency.lower())

    def expected_at(self, now: datetime) -> datetime | None:
        """Return the next run; None if there is none: the schedule or the task is suspended, or Tableau names none.

        A time that Tableau gives may be some minutes in the past: the run is due.
        """
        if not self.is_active or self.is_suspended:
            return None
        if self.next_run_at is not None:
            return self.next_run_at if now - self.next_run_at <= DAY / 4 else None
        return self.recurrence.following(now) if self.recurrence else None


@dataclass(frozen=True, slots=True)
class Expectation:
    """A refresh that is expected to begin at `at`. `task` is a task's LUID, or says where else the time comes from."""

    task: str
    resource_luid: str
    resource_kind: ResourceKind
    at: datetime
    resource_name: str = ""
    id: int | None = None

    @property
    def is_declared(self) -> bool:
        """Return whether a `[[watch]]` declares the time, by which a refresh has to have succeeded."""
        return self.task.startswith(DECLARED)

    @property
    def is_learned(self) -> bool:
        """Return whether the time comes from the past."""
        return self.task.startswith(LEARNED)

    @property
    def watch(self) -> str:
        """Return the name of the `[[watch]]` that declares the time, or an empty string."""
        return declaring_watch(self.task)


@dataclass(frozen=True, slots=True)
class Freshness:
    """A declaration: at the time `by` of some weekdays, in `zone`, a refresh has succeeded `within` the time before."""

    by: day_time
    days: frozenset[int]
    zone: tzinfo
    within: timedelta = DAY / 2

    def following(self, after: datetime) -> datetime:
        """Return the next time after that one, in UTC. A time that the clock repeats is the first of the two."""
        day = after.astimezone(self.zone).date()
        while True:
            at = datetime.combine(day, self.by, self.zone).astimezone(UTC)
            if at > after and day.weekday() in self.days:
                return at
            day += DAY


def declaring_watch(task: str) -> str:
    """Return the name of the `[[watch]]` in the `task` of an expectation; empty if none declares it."""
    return task.removeprefix(DECLARED).rpartition(" ")[0] if task.startswith(DECLARED) else ""


def scheduled(tasks: Iterable[ScheduledTask], now: datetime) -> list[Expectation]:
    """Return the next run of each task that has one."""
    found = [(task, task.expected_at(now)) for task in tasks]
    return [
        Expectation(task.luid, task.resource_luid, task.resource_kind, at.replace(microsecond=0))
        for task, at in found
        if at
    ]


def learned(rhythm: Rhythm, luid: str, kind: ResourceKind, last_run: datetime) -> Expectation:
    """Return the next run of content by the rhythm of its past, after its last run."""
    # The last run may have begun before the latest usual time of its own day.
    after = last_run if rhythm.gap else last_run + DAY / 2
    return Expectation(f"{LEARNED}{luid}", luid, kind, rhythm.following(after).replace(microsecond=0))


def declared(watch: str, freshness: Freshness, luid: str, kind: ResourceKind, now: datetime) -> Expectation:
    """Return the next time by which the content has to be fresh."""
    return Expectation(f"{DECLARED}{watch} {luid}", luid, kind, freshness.following(now))


def early(expected: Expectation, period: timedelta | None) -> timedelta:
    """Return how long before its time a run counts as the one that is expected.

    A time that was learned is the latest usual one.
    """
    return min(LEARNED_EARLY, (period or DAY) / 2) if expected.is_learned else EARLY


def came_at(
    expected: Expectation, runs: Sequence[Run], *, early: timedelta = EARLY, within: timedelta = timedelta()
) -> datetime | None:
    """Return when the run came that was expected, or None. It may have ended `early` before the time.

    A run that ended after the expected time came, also if it began before: Tableau does not run one refresh twice at
    once. What became of it is another matter: a failure or a cancellation is no missed run. A declared time asks for
    a success that ended `within` the time before it, or later.
    """
    if expected.is_declared:
        times = [run.at for run in runs if run.outcome == "succeeded" and run.at > expected.at - within]
    else:
        times = [run.started_at or run.at for run in runs if run.at >= expected.at - early]
    return min(times, default=None)


def by_resource(runs: Iterable[Run]) -> Mapping[str, list[Run]]:
    """Return runs by the LUID of their content."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.resource_luid, []).append(run)
    return found
