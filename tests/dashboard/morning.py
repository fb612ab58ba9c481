"""Make the pictures of the documentation: the first page at eight in the morning, after a night with failures.

Run `python -m tests.dashboard.morning FOLDER [NUMBER]`; NUMBER failing workbooks more fill the list.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from playwright.sync_api import sync_playwright
from sqlalchemy import delete
from werkzeug.serving import make_server

from tests.support.databases import Clock, some_event
from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.dashboard import serving
from webhooks.inbox import Inbox, Resource, ResourceDetails
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.incidents import Act, IncidentFilter, RunEvidence
from webhooks.incidents.policy import DestinationPolicy, Policy
from webhooks.incidents.run import RunOutcome
from webhooks.monitor.watches.recorder import Recorder
from webhooks.watches.expectation import Expectation, ScheduledTask

SITE = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
ZONE = ZoneInfo("Europe/Brussels")
TODAY = datetime.combine(utc_now().astimezone(ZONE).date(), time(8), ZONE)
MINUTE = timedelta(minutes=1)
PROJECTS = ("Finance", "Operations", "Marketing", "Sales EMEA", "People", "Supply chain")
BEN, CHLOE, DEV = "Ben Duarte (ben@acme.example)", "Chloé Martin (chloe@acme.example)", "Dev Raman (dev@acme.example)"
DATABASE = ("warehouse.acme.example",)
TIMED_OUT = "warehouse.acme.example: connection timed out"
OTHER_REASONS = ("Login failed for user 'etl'", "Disk quota exceeded on /data/extracts", "The OAuth token has expired")
WIDTHS = (360, 1280, 1920)
WORST_NAME = "Quarterly consolidated profit and loss statement by region, legal entity and cost centre (IFRS, v2) " * 2


class Night:
    """The content of the site and its refreshes since the last evening; the clock is that of the inbox."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self.inbox, self.clock, self.numbers = inbox, clock, Random(8)

    def at(self, minutes: float) -> datetime:
        """Set the clock to that many minutes before eight, and return the time."""
        time_of_day = TODAY - minutes * MINUTE
        self.clock.seconds = time_of_day.timestamp()
        return time_of_day

    def content(self, name: str, project: str) -> str:
        """Store a workbook, and return its LUID."""
        luid = str(uuid.UUID(int=self.numbers.getrandbits(128)))
        self.inbox.resources.save([Resource(luid, "workbook", SITE, name, BEN, project)])
        return luid

    def run(self, luid: str, name: str, ended: datetime, outcome: RunOutcome = "succeeded", reason: str = "") -> None:
        """Store a run that ended then."""
        self.inbox.incidents.learn(
            RunEvidence(
                source="job list",
                site_luid=SITE,
                resource_luid=luid,
                resource_kind="workbook",
                resource_name=name,
                outcome=outcome,
                recorded_at=ended,
                started_at=ended - self.numbers.randint(3, 9) * MINUTE,
                ended_at=ended,
                reason=reason,
                job_luid=f"{luid} {ended}",
            )
        )

    def fail(self, name: str, project: str, owner: str, reason: str, *minutes: int, **details: object) -> int:
        """Let a workbook fail that many minutes before eight, and return the number of its incident."""
        luid = self.content(name, project)
        for before in minutes:
            self.run(luid, name, self.at(before), "failed", reason)
        return self.describe(luid, project, owner, **{"strikes": len(minutes), **details})

    def describe(self, luid: str, project: str, owner: str, **details: object) -> int:
        """Store what Tableau says of the content of an open incident, and return its number."""
        (record,) = self.inbox.incidents.list(IncidentFilter(states=["open"], resources=[luid]))
        self.inbox.incidents.save_details(record.id, ResourceDetails(project=project, owner=owner, **details))  # type: ignore[arg-type]
        return record.id

    def notify(self, incident: int, destination: str, minutes: float) -> None:
        """Store that a destination got the message that many minutes before eight."""
        policy = Policy("Refresh failures", (DestinationPolicy(destination),))
        self.at(minutes)
        notice = self.inbox.notices.register(incident, destination, policy)
        message = {"message": {"channel": "C1", "id": f"1.{incident}"}}
        self.inbox.notices.save(notice, posted=message, shown={"message": 1})


def fill(inbox: Inbox, clock: Clock, more: int) -> None:
    """Store the night: one failure for a reason that someone has to repair, one that came late, one cause for six."""
    night = Night(inbox, clock)
    for number in range(36):
        project = PROJECTS[number % len(PROJECTS)]
        name, luid = f"{project} {number}", night.content(f"{project} {number}", project)
        for hour, share in enumerate((0.3, 0.4, 0.6, 0.5, 0.8, 0.9, 0.7, 0.5, 0.6, 0.3)):
            if night.numbers.random() < share:
                ended = night.at(600 - 60 * hour - night.numbers.randint(1, 55))
                outcome: RunOutcome = "failed" if night.numbers.random() < 0.03 else "succeeded"
                night.run(luid, name, ended, outcome, "The server was restarted" if outcome == "failed" else "")
    month_end = night.fail(
        "Month End Close",
        "Finance/Closing",
        BEN,
        "The column 'net_amount' does not exist in 'order_lines'.",
        *(346, 256, 166, 76),
        downstream=14,
        next_run_at=TODAY + 30 * MINUTE,
    )
    night.notify(month_end, "slack:#finance-data", 346)
    night.notify(month_end, "email:ben@acme.example", 316)
    for number in range(6):
        project = PROJECTS[number % 3 + 1]
        owner = (BEN, DEV)[number % 2]
        one = night.fail(f"{project} overview {number + 1}", project, owner, TIMED_OUT, 209 - number, upstream=DATABASE)
        night.notify(one, "slack:#bi-ops", 209 - number)
    watches = Recorder(inbox, ZONE)
    orders = night.content("Daily Orders", "Operations")
    expected = Expectation("task", orders, "workbook", TODAY - 95 * MINUTE, "Daily Orders")
    watches.missed(expected, night.at(90), SITE, "Daily Orders")
    night.notify(night.describe(orders, "Operations", DEV), "slack:#bi", 86)
    sessions = night.content("Web Sessions", "Marketing")
    task = ScheduledTask("task", sessions, "workbook", strikes=5, is_active=False)
    watches.suspended(task, SITE, "Web Sessions", night.at(530))
    suspended = night.describe(sessions, "Marketing", CHLOE, strikes=5)
    night.notify(suspended, "slack:#marketing", 530)
    act = Act("", "acknowledge", "", night.at(40), "Chloé", TODAY + 240 * MINUTE, "credentials ordered")
    inbox.incidents.act(suspended, act)
    for number in range(more):
        name = WORST_NAME if number == 1 else f"Regional sales {number + 1}"
        reason = f"{OTHER_REASONS[number % 3]} (attempt {number})"
        failures = 300 - 9 * number, 120 - 5 * number
        night.fail(name, PROJECTS[number % 6], (BEN, CHLOE, DEV)[number % 3], reason, *failures)
    night.at(4)
    inbox.events.receive(some_event(1))
    inbox.events.plan(lambda _: ())
    inbox.state.set(CHECKED_AT, night.at(2).timestamp())
    night.at(0)
    # No worker runs, which would have shown the acts in Slack.
    inbox.store.execute(delete(jobs))


@contextmanager
def served(folder: Path, more: int) -> Iterator[str]:
    """Serve the pages as they were at eight, and yield their address."""
    url, clock = f"sqlite:///{folder / 'inbox.sqlite3'}", Clock()
    clock.seconds = TODAY.timestamp()
    app = create_app(
        Settings.read(
            _env_file=None,
            database_url=url,
            worker_threads=0,
            timezone=str(ZONE),
            tableau_domain="https://tableau.example",
            tableau_sitename="acme",
            tableau_pat_name="webhooks",
            tableau_pat_secret="secret-of-the-picture",
            tableau_pat_expires=(TODAY + timedelta(days=48)).date(),
        )
    )
    services = app.extensions["webhooks"]
    vars(services)["inbox"] = Inbox.open(url, clock)
    services.active_rules.refresh()
    fill(services.inbox, clock, more)
    serving.utc_now = lambda: TODAY.astimezone(utc_now().tzinfo)  # type: ignore[assignment]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        services.stop()


def main(target: Path, more: int = 0) -> None:
    """Write the pictures into the folder."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, served(Path(name), more) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
                for path in (
                    "",
                    "incidents",
                    "incidents/1",
                    "resources",
                    "events",
                    "rules",
                    "webhooks",
                    "audit",
                    "tokens",
                ):
                    page.goto(f"{url}/{path}")
                    page.screenshot(path=target / f"{path.replace('/', '-') or 'now'}-{width}-{scheme}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
