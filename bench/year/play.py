"""Let the watch look at a simulated year, and compare what it finds with what happened."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from bench.year.world import DAY, HOUR, MINUTE, START, ZONE, Problem, World
from webhooks.clock import from_timestamp
from webhooks.inbox import Inbox
from webhooks.inbox.schema import findings
from webhooks.incidents import RunEvidence
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.watches.site_watch import SiteWatch

# Time between two looks at night, and during the day. The server looks every 30 seconds.
BUSY, CALM = 15 * MINUTE, HOUR
NIGHT = (19, 11)
# What is found later than this after its time does not count as found.
LATEST = 9 * HOUR
WATCHED = ("missed", "long", "suspended")


@dataclass
class Report:
    """The problems of a year, and those that were found. `late` is the longest time from a deadline to its finding."""

    days: int
    resources: int
    expected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missing: list[Problem] = field(default_factory=list)
    false: list[tuple[str, str, datetime]] = field(default_factory=list)
    late: timedelta = timedelta()
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

    def lines(self) -> list[str]:
        """Return the report as text."""
        kinds = ", ".join(f"{kind} {self.found[kind]} of {self.expected[kind]}" for kind in WATCHED)
        return [
            f"{self.resources} resources, {self.days} days, {self.refreshes} refreshes in {self.seconds:.0f} s",
            f"found: {kinds}; recall {100 * self.recall:.1f} %",
            f"false alarms: {len(self.false)}, {self.false_per_thousand:.3f} per 1,000 resource-days",
            f"longest time from a deadline to its finding: {self.late.total_seconds() / 60:.0f} min",
            f"queries of jobs: {self.queries_per_day:.1f} a day",
        ]


class Clock:
    """The inbox's clock."""

    seconds = START.timestamp()

    def __call__(self) -> float:
        return self.seconds


def play(url: str, *, seed: int = 1, resources: int = 300, days: int = 365) -> Report:
    """Play a year on the database at `url`, and return the report."""
    begun, clock = time.monotonic(), Clock()
    inbox = Inbox.open(url, clock)
    logging.getLogger("webhooks").setLevel(logging.ERROR)
    try:
        world = _play(inbox, clock, seed, resources, days)
        report = _compare(inbox, world)
    finally:
        inbox.close()
        logging.getLogger("webhooks").setLevel(logging.NOTSET)
    report.seconds = time.monotonic() - begun
    return report


def _play(inbox: Inbox, clock: Clock, seed: int, resources: int, days: int) -> World:
    pieces: list[RunEvidence] = []
    world = World(seed, resources, days, pieces.append)
    client: Any = world.site

    def new_watch() -> SiteWatch:
        return SiteWatch(inbox, lambda: client, JobBudget(inbox), ZONE)

    watch, was_down, now = new_watch(), False, START
    while now < world.end:
        world.advance(now)
        clock.seconds = now.timestamp()
        is_down = world.is_within(world.server_down, now)
        if pieces:
            inbox.incidents.learn(*pieces)
            pieces.clear()
        if was_down and not is_down:
            watch = new_watch()
        if not is_down:
            watch.run(now)
        was_down = is_down
        hour = now.astimezone(ZONE).hour
        now += BUSY if hour >= NIGHT[0] or hour < NIGHT[1] else CALM
    return world


def _compare(inbox: Inbox, world: World) -> Report:
    report = Report(world.days, world.resources, refreshes=len(world.begun))
    report.queries_per_day = (world.site.calls["jobs"] + world.site.calls["job"]) / world.days
    rows = inbox.store.rows(select(findings).where(findings.c.kind.in_(WATCHED), findings.c.problem == 1))
    alarms = [alarm for alarm in map(_alarm, rows) if alarm[2] < world.end - DAY]
    # What happens at the very end cannot be found in time; deleted content is not watched.
    problems = [
        one for one in world.problems if one.at < world.end - DAY and not world.contents[one.luid].is_deleted
    ]  # fmt: skip
    used: set[int] = set()
    for problem in problems:
        report.expected[problem.kind] += 1
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
