"""Inboxes like those that the documentation shows: an application whose zone makes it a morning, and its events."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT
from tests.support.flask_commands import RunFlask, command_runner
from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.context import CONDITIONS
from webhooks.event import parse
from webhooks.inbox import Inbox, IncidentRecord, ResourceDetails
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.incidents import Act, DestinationPolicy, IncidentFilter, Policy, RunEvidence, WeeklyPeriod
from webhooks.job import NewJob
from webhooks.services import Services

# A page shows the morning at eight.
HOUR = 8
SITE = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
RULES = """
[[rule]]
name = "Finance refresh failures"
on = "*RefreshFailed"
where = { project = "Finance*" }
notify = ["slack:#finance", "twilio:+15550100"]

[[rule]]
name = "Published"
on = "WorkbookCreated"
notify = "slack:#bi"
"""
NEW_RULES = RULES.replace(', "twilio:+15550100"', "").replace(
    'on = "WorkbookCreated"', 'on = "WorkbookCreated"\nwhere = { project = "Finance*" }'
)


class World:
    """An inbox at a time between eight and nine, in the zone in which it is that time now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        now = utc_now()
        offset = (HOUR - now.hour + 12) % 24 - 12
        # The sign of these names is the other way round.
        self.zone = f"Etc/GMT{'-' if offset > 0 else '+'}{abs(offset)}"
        self.midnight = (now + timedelta(hours=offset)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.midnight -= timedelta(hours=offset)
        (folder / "rules.toml").write_text(RULES, encoding="utf-8")
        (folder / "new-rules.toml").write_text(NEW_RULES, encoding="utf-8")
        settings = Settings.read(
            _env_file=None,
            database_url=f"sqlite:///{folder / 'inbox.sqlite3'}",
            rules_file=folder / "rules.toml",
            timezone=self.zone,
            webhook_url="https://hooks.example.org",
            worker_threads=0,
        )
        self.app = create_app(settings)
        self.services: Services = self.app.extensions["webhooks"]
        self.flask: RunFlask = command_runner(self.app)
        Inbox.open(settings.database_url.get_secret_value()).close()

    @property
    def inbox(self) -> Inbox:
        return self.services.inbox

    def at(self, clock: str) -> datetime:
        """Return a time of today, or `yesterday 23:10`."""
        day, _, time = clock.rpartition(" ")
        hours, minutes = map(int, time.split(":"))
        return self.midnight + timedelta(days=-1 if day else 0, hours=hours, minutes=minutes)

    def refreshed(
        self,
        outcome: str,
        name: str,
        clock: str,
        reason: str = "",
        whose: tuple[str, ...] = (),
        *,
        strikes: bool = False,
    ) -> None:
        """Let a refresh of a workbook end at a time."""
        luid, ended = str(uuid.uuid5(uuid.NAMESPACE_URL, name)), self.at(clock)
        fields = {"resource": "WORKBOOK", "resource_name": name, "resource_luid": luid, "site_luid": SITE}
        self.receive(f"WorkbookRefresh{outcome}", created_at=f"{ended:%Y-%m-%dT%H:%M:%SZ}", **fields)
        self.inbox.events.plan(lambda _: ())
        if reason:
            facts: Any = {"site_luid": SITE, "resource_luid": luid, "resource_kind": "workbook", "resource_name": name}
            started = ended - timedelta(minutes=4)
            known = RunEvidence(
                **facts,
                source="job list",
                outcome=outcome.lower(),
                recorded_at=ended,
                started_at=started,
                ended_at=ended,
                reason=reason,
            )
            self.inbox.incidents.learn(known)
        if whose:
            planned = {"strikes": 4, "next_run_at": utc_now() + timedelta(hours=1)} if strikes else {}
            details = ResourceDetails(*whose, **planned)
            self.inbox.incidents.save_details(self.incident(name).id, details)

    def receive(self, event_type: str, **fields: str) -> int:
        event = parse(json.dumps({"event_type": event_type, **fields}).encode())
        assert event
        return self.inbox.events.receive(event).id

    def incident(self, name: str) -> IncidentRecord:
        return self.inbox.incidents.get(self.inbox.incidents.list(IncidentFilter(resources=[name]))[0].id)

    def act(self, kind: Any, name: str, by: str, until: str = "", text: str = "") -> None:
        """Do something about the incident of a name now."""
        end = self.at(until) if until else None
        self.inbox.incidents.act(self.incident(name).id, Act("", kind, "", utc_now(), by, end, text))

    def notify(self, name: str, *destinations: DestinationPolicy, sent: int) -> None:
        """Register the destinations of an incident, of which the first ones were notified."""
        for place, one in enumerate(destinations):
            policy = Policy("Finance refresh failures", (one,))
            notice = self.inbox.notices.register(self.incident(name).id, one.to, policy)
            if place < sent:
                message = {"channel": "C1", "id": f"1.{place}"}
                self.inbox.notices.save(notice, posted={"message": message}, shown={"message": 1})


def morning(world: World) -> dict[str, int]:
    """Two incidents are open, one of them acknowledged, and one has closed."""
    for clock in ("02:14", "03:14", "04:14", "06:14"):
        reason = "column net_amount is gone"
        world.refreshed(
            "Failed", "Month End Close", clock, reason, ("Finance", "Ben Duarte (ben@acme.example)"), strikes=True
        )
    for clock in ("yesterday 23:10", "01:10"):
        reason = "warehouse.acme.example: Name or service not known"
        world.refreshed("Failed", "Web Sessions", clock, reason, ("Marketing", "Chloé Martin (chloe@acme.example)"))
    world.refreshed("Failed", "Daily Orders", "01:05", "", ("Sales", "Dev"))
    world.refreshed("Succeeded", "Daily Orders", "02:15")
    finance = (DestinationPolicy("slack:#finance-data"), DestinationPolicy("slack:ben@acme.example"))
    world.notify("Month End Close", *finance, sent=2)
    world.notify("Web Sessions", DestinationPolicy("slack:#marketing"), sent=1)
    world.act("acknowledge", "Web Sessions", "Chloé Martin", "12:00")
    world.inbox.state.set(CHECKED_AT, utc_now().timestamp())
    return {"14": world.incident("Month End Close").id, "15": world.incident("Web Sessions").id}


def shown(world: World) -> dict[str, int]:
    """An incident with two failures, a message, an acknowledgement, and a destination that was not notified."""
    for clock in ("02:14", "06:14"):
        reason = "column net_amount is gone"
        world.refreshed("Failed", "Month End Close", clock, reason, ("Finance", "Ben Duarte (ben@acme.example)"))
    phone = DestinationPolicy("twilio:+15550100", after=timedelta(hours=12))
    world.notify("Month End Close", DestinationPolicy("slack:#finance-data"), phone, sent=1)
    world.act("acknowledge", "Month End Close", "ben", "10:00", "waiting for the DBA")
    for job in world.inbox.jobs.claim("host:1:docs", 10, 60):
        world.inbox.jobs.finish(job)
    return {"14": world.incident("Month End Close").id}


def two_open(world: World) -> dict[str, int]:
    """Two incidents of Finance are open."""
    for name in ("Month End Close", "Cash Flow"):
        world.refreshed("Failed", name, "02:14", "column net_amount is gone", ("Finance", "Ben"))
    return {"14": world.incident("Month End Close").id, "15": world.incident("Cash Flow").id}


def silenced(world: World) -> dict[str, int]:
    """A silence is in force, and a weekly one begins later."""
    morning(world)
    add, now = world.inbox.silences.add, utc_now()
    weekly = WeeklyPeriod(*map(_clock, ("02:00", "06:00")), frozenset({6}), world.zone)
    start = world.at("09:00") + timedelta(days=2)
    add(matchers={}, start=start, end=None, by="ann", reason="maintenance", weekly=weekly)
    end = now + timedelta(hours=2)
    add(matchers={"project": ["Finance*"]}, start=now, end=end, by="ben", reason="database upgrade")
    return {}


def received(world: World) -> dict[str, int]:
    """A failure that came three times, with a dead and a done job, and two other events."""
    fields = {"resource_name": "Sales", "resource": "WORKBOOK", "site_luid": SITE}
    fields["created_at"] = "2026-01-31T09:30:00Z"
    number, _, _ = (world.receive("WorkbookRefreshFailed", **fields) for _ in range(3))
    world.inbox.events.plan(world.services.planner.jobs)
    first, second = world.inbox.jobs.claim("host:1:docs", 10, 60)
    for job in (first, second):
        world.inbox.checkpoints.set(job, CONDITIONS, "project Finance/Reports ~ Finance*")
    world.inbox.jobs.finish(first)
    world.inbox.dead_letters.dead_letter(second, "21211 not a valid number")
    world.receive("SiteUpdated", resource_name="Branch", site_luid=SITE)
    world.inbox.events.plan(lambda _: ())
    world.receive("WorkbookUpdated", **fields)
    world.inbox.events.plan(lambda _: [NewJob("c", "notify", rule="Published", params={"to": "slack:#bi"})])
    (third,) = world.inbox.jobs.claim("host:1:docs", 10, 60)
    world.inbox.jobs.finish(third)
    return {"41": number}


def acted(world: World) -> dict[str, int]:
    """Someone has replayed events, and someone else has acknowledged an incident."""
    two_open(world)
    world.inbox.audit.record(by="Ann", origin="page 10.0.0.7", act="replay", subject="events", details="41, 42")
    (record,) = world.inbox.incidents.list(IncidentFilter(resources=["Cash Flow"]))
    done = Act("", "acknowledge", "", utc_now(), "ben", world.at("10:00"), "waiting for the DBA")
    world.inbox.incidents.act(record.id, done, origin="command line on laptop7")
    return {}


def first_events(world: World) -> dict[str, int]:
    """Two events, planned by the rules of the project; Tableau then says why the refresh failed."""
    (world.folder / "rules.toml").write_bytes((ROOT / "rules.toml").read_bytes())
    world.receive("WorkbookCreated", resource_name="Quarterly Review", site_luid=SITE)
    fields = {"resource": "WORKBOOK", "resource_luid": str(uuid.uuid4()), "site_luid": SITE}
    number = world.receive("WorkbookRefreshFailed", resource_name="Sales", **fields)
    world.inbox.events.plan(world.services.planner.jobs)
    world.notify("Sales", DestinationPolicy("slack:#bi"), sent=1)
    world.act("note", "Sales", "ben")
    for job in world.inbox.jobs.claim("host:1:docs", 10, 60):
        world.inbox.jobs.finish(job)
    return {"2": number}


def activated(world: World) -> dict[str, int]:
    """A rule was added, and another one changed."""
    world.flask("rules", "activate")
    added = '[[rule]]\nname = "Nightly flows"\non = "FlowRunFailed"\nnotify = "slack:#data-prep"\n'
    (world.folder / "rules.toml").write_text(RULES.replace("slack:#finance", "slack:#data") + added, encoding="utf-8")
    world.services.__dict__.pop("rules", None)
    world.flask("rules", "activate")
    return {}


def compared(world: World) -> dict[str, int]:
    """Two failures in Finance, and three new workbooks."""
    for number in range(2):
        world.receive("WorkbookRefreshFailed", resource_name=f"Sales {number}", site_luid=SITE)
    for number in range(3):
        world.receive("WorkbookCreated", resource_name=f"New {number}", site_luid=SITE)
    world.inbox.events.plan(world.services.planner.jobs)
    for job in world.inbox.jobs.claim("host:1:docs", 20, 60):
        world.inbox.jobs.finish(job)
    return {}


def nothing(_: World) -> dict[str, int]:
    return {}


def _clock(text: str) -> Any:
    return datetime.strptime(text, "%H:%M").replace(tzinfo=UTC).time()
