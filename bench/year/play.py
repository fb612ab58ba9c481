"""Let the watch look at a simulated year, and compare what it finds with what happened."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from bench.year.database import open_database
from bench.year.world import DAY, HOUR, MINUTE, START, STREAK, STRIKES, ZONE, Problem, World
from webhooks.clock import from_timestamp
from webhooks.inbox import Inbox
from webhooks.inbox.incidents.tables import findings, incidents
from webhooks.incidents import IncidentFilter
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.watches.site_watch import SiteWatch

# Time between two looks at night, and during the day. The server looks every 30 seconds.
BUSY, CALM = 15 * MINUTE, HOUR
NIGHT = (19, 11)
# What is found later than this after its time does not count as found.
LATEST = 9 * HOUR
COMMIT_HOUR = 12
MIN_RECALL, MAX_FALSE = 0.99, 1.0
WATCHED = ("missed", "long", "suspended")


@dataclass
class Report:
    """The problems of a year, and those that were found. `late` is the longest time from a deadline to its finding.

    `strikes` counts suspensions by the greatest count of Tableau's that the message about the failing content showed
    before; `blind` are the incidents about Tableau's `outages`.
    """

    days: int
    resources: int
    expected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missing: list[Problem] = field(default_factory=list)
    false: list[tuple[str, str, datetime]] = field(default_factory=list)
    late: timedelta = timedelta()
    strikes: Counter[int] = field(default_factory=Counter)
    blind: int = 0
    outages: int = 0
    queries_per_day: float = 0.0
    refreshes: int = 0
    seconds: float = 0.0

    @property
    def recall(self) -> float:
        """Return the share of the problems that were found."""
        return sum(self.found.values()) / max(sum(self.expected.values()), 1)

    @property
    def false_per_thousand(self) -> float:
        """Return the false alarms per 1,000 days of a resource."""
        return 1000 * len(self.false) / (self.days * self.resources)

    @property
    def announced(self) -> float:
        """Return the share of the suspensions of which Tableau's count was shown before."""
        return 1 - self.strikes[0] / max(self.strikes.total(), 1)

    @property
    def is_good(self) -> bool:
        """Return whether the figures are those that the watches promise."""
        return self.recall >= MIN_RECALL and self.false_per_thousand <= MAX_FALSE and self.announced == 1.0

    def lines(self) -> list[str]:
        """Return the report as text."""
        kinds = ", ".join(f"{kind} {self.found[kind]} of {self.expected[kind]}" for kind in WATCHED)
        total = self.strikes.total()
        shown = "".join(f", {number} with {count} of {STRIKES}" for count, number in sorted(self.strikes.items()))
        return [
            f"{self.resources} resources, {self.days} days, {self.refreshes} refreshes in {self.seconds:.0f} s",
            f"found: {kinds}; recall {100 * self.recall:.1f} %",
            f"false alarms: {len(self.false)}, {self.false_per_thousand:.3f} per 1,000 resource-days",
            f"longest time from a deadline to its finding: {self.late.total_seconds() / 60:.0f} min",
            f"suspensions announced before: {total - self.strikes[0]} of {total}{shown}",
            f"incidents about {self.outages} outages of Tableau: {self.blind}",
            f"queries of jobs: {self.queries_per_day:.1f} a day",
        ]


# The failing content of which the messages show Tableau's count of failures.
SHOWN = select(incidents.c.resource_luid, incidents.c.strikes).where(
    incidents.c.kind == "failing", incidents.c.closed_at.is_(None), incidents.c.strikes > 1
)


class Warnings:
    """The times from which the messages about each content showed a count of failures, as pairs of time and count."""

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}
        self.times: dict[str, list[tuple[datetime, int]]] = {}

    def note(self, inbox: Inbox, now: datetime) -> None:
        """Note what is shown now that was not before."""
        shown = {row["resource_luid"]: int(row["strikes"]) for row in inbox.store.rows(SHOWN)}
        for luid, number in shown.items():
            if self._shown.get(luid) != number:
                self.times.setdefault(luid, []).append((now, number))
        self._shown = shown

    def before(self, problem: Problem) -> int:
        """Return the greatest count that was shown between the first failure and the suspension; 0 if none was."""
        first = problem.warned_from or problem.at
        return max((number for at, number in self.times.get(problem.luid, ()) if first <= at < problem.at), default=0)


class Clock:
    """The inbox's clock."""

    seconds = START.timestamp()

    def __call__(self) -> float:
        return self.seconds


def play(url: str, *, seed: int = 1, resources: int = 300, days: int = 365, streak: float = STREAK) -> Report:
    """Play a year on the database at `url`, and return the report. `streak`: the share of refreshes that begin one."""
    begun, clock = time.monotonic(), Clock()
    logging.getLogger("webhooks").setLevel(logging.ERROR)
    try:
        with open_database(url, clock) as (inbox, connection):
            warnings = Warnings()
            world = _play(inbox, connection, clock, World(seed, resources, days, streak), warnings)
            report = _compare(inbox, world, warnings)
    finally:
        logging.getLogger("webhooks").setLevel(logging.NOTSET)
    report.seconds = time.monotonic() - begun
    return report


def _play(inbox: Inbox, connection: Connection, clock: Clock, world: World, warnings: Warnings) -> World:
    client: Any = world.site

    def new_watch() -> SiteWatch:
        return SiteWatch(inbox, lambda: client, JobBudget(inbox), ZONE)

    watch, was_down, now = new_watch(), False, START
    while now < world.end:
        world.advance(now)
        clock.seconds = now.timestamp()
        is_down = world.is_within(world.server_down, now)
        if world.reported:
            inbox.incidents.learn(*world.reported)
            world.reported.clear()
        if was_down and not is_down:
            watch = new_watch()
        if not is_down:
            watch.run(now)
            warnings.note(inbox, now)
        was_down = is_down
        hour = now.astimezone(ZONE).hour
        if hour == COMMIT_HOUR:
            connection.commit()
        now += BUSY if hour >= NIGHT[0] or hour < NIGHT[1] else CALM
    return world


def _compare(inbox: Inbox, world: World, warnings: Warnings) -> Report:
    report = Report(world.days, world.resources, refreshes=len(world.begun))
    report.queries_per_day = (world.site.calls["jobs"] + world.site.calls["job"]) / world.days
    report.outages = len(world.tableau_down)
    report.blind = len(inbox.incidents.list(IncidentFilter(kinds=("blind",)), limit=None))
    rows = inbox.store.rows(select(findings).where(findings.c.kind.in_(WATCHED), findings.c.problem == 1))
    alarms = [alarm for alarm in map(_alarm, rows) if alarm[2] < world.end - DAY]
    # What happens at the very end cannot be found in time; deleted content is not watched.
    problems = [
        one for one in world.problems if one.at < world.end - DAY and not world.contents[one.luid].is_deleted
    ]  # fmt: skip
    used: set[int] = set()
    for problem in problems:
        report.expected[problem.kind] += 1
        if problem.kind == "suspended":
            report.strikes[warnings.before(problem)] += 1
        matching = [
            number
            for number, (kind, luid, since, at, _) in enumerate(alarms)
            if (kind, luid) == (problem.kind, problem.luid)
            and abs(since - problem.at) <= HOUR
            and at - problem.at <= LATEST
        ]
        used.update(matching)
        if matching:
            report.found[problem.kind] += 1
        else:
            report.missing.append(problem)
    for number, (kind, luid, since, at, recorded) in enumerate(alarms):
        blind = [*world.server_down, *world.tableau_down]
        if not any(begin - MINUTE <= at <= end or begin <= recorded <= end + HOUR for begin, end in blind):
            report.late = max(report.late, recorded - at)
        if number not in used and not world.contents[luid].is_deleted:
            report.false.append((kind, luid, since))
    return report


def _alarm(row: Any) -> tuple[str, str, datetime, datetime, datetime]:
    """Return the kind and the content of a finding, the time that it is about, its own, and when it was recorded."""
    times = (row["since"] or row["found_at"], row["found_at"], row["recorded_at"])
    since, at, recorded = map(from_timestamp, times)
    return row["kind"], row["resource_luid"], since, at, recorded
