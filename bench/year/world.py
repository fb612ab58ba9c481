"""Simulate a year: which refreshes run, and what goes wrong. Deterministic from the seed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from bench.year.site import Site
from webhooks.incidents import RunEvidence
from webhooks.incidents.evidence import ResourceKind, RunOutcome
from webhooks.watches.recurrence import Recurrence

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2027, 1, 1, tzinfo=ZONE).astimezone(UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STRIKES = 5
# Ends of refreshes before one can be found to take too long: monthly ones have no usual duration yet.
ENOUGH = 15
# Before problems begin, so that there is a history.
QUIET = 30 * DAY
WORKDAYS = [{"weekDay": day} for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")]
# The share of content with each kind of schedule: frequency, intervals, and whether Tableau knows it.
SCHEDULES: tuple[tuple[float, str, list[dict[str, str]], bool], ...] = (
    (0.68, "Daily", [], True),
    (0.12, "Daily", WORKDAYS, True),
    (0.06, "Weekly", [{"weekDay": "Sunday"}], True),
    (0.04, "Monthly", [{"monthDay": "LastDay"}], True),
    (0.02, "Monthly", [{"monthDay": "First"}, {"weekDay": "Monday"}], True),
    (0.04, "Daily", [{"hours": "4"}], True),
    # Started by another program.
    (0.04, "Daily", [], False),
)
# The probability of each problem for one refresh.
MISSED, LATE, LONG, FAILED, STREAK, LOST = 0.003, 0.002, 0.001, 0.015, 0.0004, 0.03


@dataclass
class Content:
    """Content with its schedule, and what has become of it."""

    luid: str
    kind: ResourceKind
    recurrence: Recurrence
    is_scheduled: bool
    minutes: float
    strikes: int = 0
    # Refreshes that fail from now on, before the schedule is suspended.
    streak: int = 0
    # When the first failure in a row ended.
    failing_since: datetime | None = None
    # Refreshes that have ended.
    finished: int = 0
    is_paused: bool = False
    is_deleted: bool = False

    @property
    def runs(self) -> bool:
        """Return whether its schedule starts it."""
        return not self.is_paused and not self.is_deleted and self.strikes < STRIKES


@dataclass(frozen=True)
class Problem:
    """Something that a watch should find: its kind, the content, and when it was due, began or was suspended.

    `warned_from` is when the first of the failures ended that led to a suspension.
    """

    kind: str
    luid: str
    at: datetime
    warned_from: datetime | None = None


@dataclass
class World:
    """The site and its future. `advance` lets it happen; `reported` is what webhooks report."""

    seed: int
    resources: int
    days: int
    streak: float = STREAK
    site: Site = field(default_factory=Site)
    contents: dict[str, Content] = field(default_factory=dict)
    reported: list[RunEvidence] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # When each refresh that was due began, by content and time; None: never.
    begun: dict[tuple[str, datetime], datetime | None] = field(default_factory=dict)
    ended: dict[tuple[str, datetime], datetime] = field(default_factory=dict)
    # Server and Tableau are down in these periods; webhooks are disabled in others.
    server_down: list[tuple[datetime, datetime]] = field(default_factory=list)
    tableau_down: list[tuple[datetime, datetime]] = field(default_factory=list)
    webhooks_off: list[tuple[datetime, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self._future: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = count()
        self.now = START
        self.end = START + self.days * DAY
        for number in range(self.resources):
            self._add(number)
        months = max(self.days // 30, 1)
        outages = ((self.server_down, 2, 8), (self.tableau_down, 2, 4), (self.webhooks_off, 4, 30))
        for periods, every, longest in outages:
            times = months // every
            for _ in range(times):
                begin = START + QUIET + self.random.random() * (self.end - START - QUIET)
                periods.append((begin, begin + self.random.uniform(0.5, longest) * HOUR))
        for change in (self._rename, self._move, self._pause, self._delete):
            for _ in range(max(months * self.resources // 250, 1)):
                self._at(START + QUIET + self.random.random() * (self.end - START - QUIET), change)

    def advance(self, until: datetime) -> None:
        """Let everything happen until that time."""
        while self._future and self._future[0][0] <= until:
            self.now, _, happen = heapq.heappop(self._future)
            happen(self.now)
        self.now = self.site.now = until
        self.site.down = self.is_within(self.tableau_down, until)

    def next_at(self) -> datetime:
        """Return when something happens next."""
        return self._future[0][0] if self._future else self.end

    @staticmethod
    def is_within(periods: list[tuple[datetime, datetime]], at: datetime) -> bool:
        """Return whether the time is within one of the periods."""
        return any(begin <= at < end for begin, end in periods)

    def _at(self, at: datetime, happen: Callable[[datetime], None]) -> None:
        heapq.heappush(self._future, (at, next(self._order), happen))

    def _add(self, number: int) -> None:
        share, chosen = self.random.random(), SCHEDULES[0]
        for one in SCHEDULES:
            chosen = one
            share -= one[0]
            if share < 0:
                break
        _, frequency, intervals, is_scheduled = chosen
        kind: ResourceKind = ("workbook", "datasource", "datasource", "flow")[number % 4]
        luid = f"c{number:07}-0000-4000-8000-000000000000"
        start = f"{(self.random.randrange(20, 30)) % 24:02}:{self.random.randrange(12) * 5:02}:00"
        recurrence = Recurrence.of(
            frequency, start, start if intervals[:1] == [{"hours": "4"}] else "", intervals, ZONE
        )
        assert recurrence is not None
        self.site.add(kind, luid, f"Content {number}")
        content = Content(luid, kind, recurrence, is_scheduled, self.random.choice((1, 3, 8, 20, 45)))
        self.contents[luid] = content
        self._schedule(content, self.now)

    def _schedule(self, content: Content, after: datetime) -> None:
        """Let the schedule start the content the next time, and let Tableau show it."""
        due = content.recurrence.following(after)
        if content.is_scheduled and not content.is_deleted:
            state = "Suspended" if content.is_paused else "Active"
            shown = due if content.strikes < STRIKES else None
            self.site.schedule(
                content.luid, shown, frequency=content.recurrence.frequency.title(), schedule_state=state,
                consecutive_failed_count=content.strikes,
            )  # fmt: skip
        if due is not None:
            recurrence = content.recurrence
            self._at(due, lambda at: self._due(content, recurrence, at))

    def _due(self, content: Content, recurrence: Recurrence, at: datetime) -> None:
        """Let a refresh come whose time it is, or not."""
        if recurrence is not content.recurrence:
            return
        if content.runs:
            self._start(content, at)
        if not content.is_deleted:
            self._schedule(content, at)

    def _start(self, content: Content, due: datetime) -> None:
        random = self.random
        what = random.random() if due > START + QUIET else 1.0
        delay = random.lognormvariate(0.7, 0.9) * MINUTE
        if what < MISSED:
            self.begun[content.luid, due] = None
            self.problems.append(Problem("missed", content.luid, due))
            return
        is_frequent = content.recurrence.every is not None
        if what < MISSED + LATE and not is_frequent:
            delay = random.uniform(5, 8) * HOUR
            self.problems.append(Problem("missed", content.luid, due))
        length = content.minutes * random.lognormvariate(0, 0.2) * MINUTE
        begin = due + delay
        if MISSED + LATE <= what < MISSED + LATE + LONG and not is_frequent and content.finished >= ENOUGH:
            length = max(10 * length, 4 * HOUR)
            self.problems.append(Problem("long", content.luid, begin.replace(microsecond=0)))
        if content.streak == 0 and due > START + QUIET and random.random() < self.streak:
            content.streak = STRIKES
        fails = content.streak > 0 or (due > START + QUIET and random.random() < FAILED)
        content.streak = max(content.streak - 1, 0)
        self.begun[content.luid, due] = begin
        # Tableau queues what it starts itself.
        job = self.site.queue(content.luid, due) if content.is_scheduled and delay < HOUR else ""
        lost = random.random() < LOST
        self._at(begin.replace(microsecond=0), lambda at: self._begin(content, at, length, job, fails=fails, lost=lost))

    def _begin(
        self, content: Content, at: datetime, length: timedelta, job: str = "", *, fails: bool, lost: bool
    ) -> None:
        if content.is_deleted:
            return
        job = job or self.site.queue(content.luid, at)
        self.site.change(job, status="InProgress", started_at=at)
        self._report(content, "running", at, lost=lost)
        end = (at + length).replace(microsecond=0)
        self._at(end, lambda now: self._finish(content, job, at, now, fails=fails, lost=lost))

    def _finish(self, content: Content, job: str, begin: datetime, at: datetime, *, fails: bool, lost: bool) -> None:
        self.site.change(job, status="Failed" if fails else "Success", ended_at=at)
        self.ended[content.luid, begin] = at
        if content.is_deleted:
            return
        if content.is_scheduled:
            content.strikes = content.strikes + 1 if fails else 0
            if content.strikes == 1:
                content.failing_since = at
            task = self.site.tasks[f"task-{content.luid}"]
            shown = None if content.strikes >= STRIKES else task.next_run_at or content.recurrence.following(at)
            self.site.schedule(content.luid, shown, consecutive_failed_count=content.strikes)
            if content.strikes == STRIKES:
                self.problems.append(Problem("suspended", content.luid, at, content.failing_since))
                self._at(at + self.random.uniform(12, 100) * HOUR, lambda now: self._repair(content, now))
        content.finished += 1
        self._report(content, "failed" if fails else "succeeded", at, begin, lost=lost)

    def _repair(self, content: Content, at: datetime) -> None:
        """Let someone correct the cause, and refresh the content by hand."""
        if not content.is_deleted:
            self._begin(content, at.replace(microsecond=0), content.minutes * MINUTE, fails=False, lost=False)

    def _report(
        self, content: Content, outcome: RunOutcome, at: datetime, begin: datetime | None = None, *, lost: bool
    ) -> None:
        """Let the server learn of a start or, with its `begin`, of an end.

        There are no webhooks about flows: the monitor finds their ends in the job list.
        """
        is_flow, began = content.kind == "flow", begin is None
        unseen = (
            began or self.is_within(self.tableau_down, at) if is_flow else lost or self.is_within(self.webhooks_off, at)
        )
        if unseen or self.is_within(self.server_down, at):
            return
        self.reported.append(
            RunEvidence(
                "job list" if is_flow else "webhook",
                self.site.luid,
                content.luid,
                content.kind,
                outcome,
                at,
                started_at=begin if is_flow else at if began else None,
                ended_at=None if began else at,
                resource_name=self.site.contents[content.luid].name,
            )
        )

    def _any(self) -> Content:
        return self.random.choice([one for one in self.contents.values() if one.is_scheduled and not one.is_deleted])

    def _rename(self, at: datetime) -> None:
        content = self._any()
        self.site.add(content.kind, content.luid, f"Renamed {at:%Y%m%d%H%M%S}")

    def _move(self, at: datetime) -> None:
        """Move a schedule to another time, a while before and after its runs."""
        content = self._any()
        old = content.recurrence
        start = old.start.replace(hour=(old.start.hour + self.random.randrange(1, 12)) % 24)
        content.recurrence = Recurrence(
            old.frequency,
            start,
            old.zone,
            start if old.end else None,
            old.every,
            old.weekdays,
            old.month_days,
            old.ordinal,
        )
        self._schedule(content, at)

    def _pause(self, at: datetime) -> None:
        content = self._any()
        content.is_paused = True
        self.site.schedule(content.luid, None, schedule_state="Suspended")
        self._at(at + self.random.uniform(1, 10) * DAY, lambda now: self._resume(content, now))

    def _resume(self, content: Content, at: datetime) -> None:
        content.is_paused = False
        if not content.is_deleted and content.strikes < STRIKES:
            self.site.schedule(content.luid, content.recurrence.following(at), schedule_state="Active")

    def _delete(self, _: datetime) -> None:
        content = self._any()
        content.is_deleted = True
        self.site.tasks.pop(f"task-{content.luid}", None)
        self.site.contents.pop(content.luid, None)
