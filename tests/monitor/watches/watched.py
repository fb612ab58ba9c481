"""A site and its watch on a clock of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from bench.year.site import Site
from tests.support.databases import Clock
from webhooks.event import Event, parse
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.incidents import IncidentFilter, RunEvidence
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.watches.site_watch import SiteWatch
from webhooks.rules.watches import Watch

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SALES = "e3000000-0000-4000-8000-000000000001"
ORDERS = "e3000000-0000-4000-8000-000000000002"


def at(text: str) -> datetime:
    """Return the time of `26 02:00` in November 2026, UTC."""
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-11-{day} {clock}").replace(tzinfo=UTC)


class Watched:
    """A site with the workbook Sales and the data source Orders, and the watch of it, which looks every minute."""

    def __init__(self, inbox: Inbox, clock: Clock, start: str = "26 00:00", zone: tzinfo = UTC) -> None:
        self.inbox, self.clock, self.zone = inbox, clock, zone
        self.site = Site()
        self.site.add("workbook", SALES, "Sales")
        self.site.add("datasource", ORDERS, "Orders")
        self.now = at(start)
        self.watches: Sequence[Watch] = ()
        self.watch = self.new_watch()

    def new_watch(self) -> SiteWatch:
        """Return a watch as a process that has just started has it."""
        client: Any = self.site
        return SiteWatch(self.inbox, lambda: client, JobBudget(self.inbox), self.zone, watches=lambda: self.watches)

    def restart(self) -> None:
        """Replace the watch by that of another process."""
        self.watch = self.new_watch()

    def until(self, text: str | datetime, *, step: timedelta = 5 * MINUTE) -> Sequence[IncidentRecord]:
        """Let time pass with a look in every `step`, and return all incidents, the newest first."""
        end = at(text) if isinstance(text, str) else text
        while self.now <= end:
            self.look()
            self.now += step
        return self.inbox.incidents.list()

    def look(self) -> None:
        """Look once, and plan the events of the watch without rules."""
        self.site.now = self.now
        self.clock.seconds = self.now.timestamp()
        self.watch.run(self.now)
        self.inbox.events.plan(lambda _: [])

    def runs(self, luid: str, begin: str | datetime, minutes: float = 10, outcome: str = "succeeded") -> None:
        """Let a refresh happen whose webhooks arrive, in the job list and in the inbox."""
        began = at(begin) if isinstance(begin, str) else begin
        ended = began + minutes * MINUTE
        self.site.run(luid, began, ended, "Failed" if outcome == "failed" else "Success")
        kind = self.site.contents[luid].kind
        for verb, time in (("running", began), (outcome, ended)):
            piece = RunEvidence("webhook", self.site.luid, luid, kind, verb, time,  # type: ignore[arg-type]
                                started_at=time if verb == "running" else None,
                                ended_at=None if verb == "running" else time,
                                resource_name=self.site.contents[luid].name)  # fmt: skip
            self.inbox.incidents.learn(piece)

    def open(self) -> list[tuple[str, str]]:
        """Return the kind and the content of all open incidents."""
        states = ("open", "acknowledged", "snoozed")
        return [
            (one.incident.kind, one.incident.resource_name)
            for one in self.inbox.incidents.list(IncidentFilter(states=states))
        ]


def event_of(inbox: Inbox, event_type: str) -> Event:
    """Return the only event of a type."""
    (record,) = [one for one in inbox.events.list() if one.event.event_type == event_type]
    parsed = parse(json.dumps(dict(record.event.payload)).encode())
    assert parsed is not None
    return record.event
