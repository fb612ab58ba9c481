"""A large inbox for the measurements of the pages: events, jobs, runs and incidents of one site, inserted in bulk."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from webhooks.clock import from_timestamp, utc_now
from webhooks.inbox import Inbox, ResourceDetails
from webhooks.inbox.events.tables import events
from webhooks.inbox.jobs.tables import attempts, jobs
from webhooks.inbox.resources.tables import resources
from webhooks.inbox.runs.tables import refreshed_content, runs
from webhooks.incidents import Act, IncidentFilter, RunEvidence
from webhooks.job import JobState

SITE = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
PROJECTS = ("Finance/Closing", "Operations", "Marketing", "Sales EMEA", "People", "Supply chain", "IT", "Legal", "Risk")
OWNERS = ("Ben Duarte (ben@acme.example)", "Chloé Martin (chloe@acme.example)", "Dev Raman (dev@acme.example)")
NAMES = ("Month End Close", "Daily Orders", "Web Sessions", "Cash Position", "Pipeline", "Headcount", "Stock", "Churn")
REASONS = (
    "The column 'net_amount' does not exist in 'order_lines'.",
    "warehouse.acme.example: connection timed out",
    "The user name or password is incorrect.",
    "Disk quota exceeded on /data/extracts",
)
BATCH = 5000
# Seconds between two runs of the same content.
DAY = 86_400.0
MINUTE = timedelta(minutes=1)


class Site:
    """The content of the site, the same for the same numbers."""

    def __init__(self, resources: int, now: datetime, seed: int = 8) -> None:
        self.numbers = random.Random(seed)
        self.now = now
        self.luids = [str(uuid.UUID(int=self.numbers.getrandbits(128))) for _ in range(resources)]

    def name(self, number: int) -> str:
        """Return the name of a workbook."""
        return NAMES[number] if number < len(NAMES) else f"{NAMES[number % len(NAMES)]} {number}"

    def project(self, number: int) -> str:
        """Return the project of a workbook."""
        return PROJECTS[number % len(PROJECTS)]


def fill(inbox: Inbox, *, number_of_events: int, number_of_resources: int, number_of_runs: int) -> Site:
    """Fill an empty inbox."""
    site = Site(number_of_resources, utc_now())
    _insert(inbox, resources, _resources(site))
    _insert(inbox, refreshed_content, _refreshed(site))
    _insert(inbox, runs, _runs(site, number_of_runs))
    _insert(inbox, events, _events(site, number_of_events))
    _insert(inbox, jobs, _jobs(site, number_of_events))
    _insert(inbox, attempts, _attempts(number_of_events))
    _fail(inbox, site)
    inbox.store.execute(text("ANALYZE"))
    return site


def _insert(inbox: Inbox, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    statement = insert(table)
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            inbox.store.execute(statement, batch)
            batch = []
    if batch:
        inbox.store.execute(statement, batch)


def _resources(site: Site) -> Iterator[dict[str, Any]]:
    for number, luid in enumerate(site.luids):
        yield {
            "luid": luid,
            "kind": "workbook",
            "site_luid": SITE,
            "name": site.name(number),
            "owner": OWNERS[number % len(OWNERS)],
            "project": site.project(number),
            "updated_at": None,
            "gone_at": None,
        }


def _refreshed(site: Site) -> Iterator[dict[str, Any]]:
    for number, luid in enumerate(site.luids):
        name = site.name(number)
        yield {"resource_luid": luid, "site_luid": SITE, "resource_kind": "workbook", "resource_name": name}


def _runs(site: Site, number_of_runs: int) -> Iterator[dict[str, Any]]:
    each = max(1, number_of_runs // len(site.luids))
    for day in range(each, 0, -1):
        for number, luid in enumerate(site.luids):
            ended = site.now.timestamp() - day * DAY + number * DAY / len(site.luids) - DAY * 0.02
            length = 60 + (number * 7919) % 600 + site.numbers.random() * 60
            outcome = "failed" if site.numbers.random() < 0.02 and day > 1 else "succeeded"
            ended = min(ended, site.now.timestamp() - 3600)
            reason = REASONS[number % len(REASONS)] if outcome == "failed" else ""
            yield {
                "site_luid": SITE,
                "resource_luid": luid,
                "resource_kind": "workbook",
                "resource_name": site.name(number),
                "started_at": ended - length,
                "ended_at": ended,
                "happened_at": ended,
                "outcome": outcome,
                "reason": reason,
                "reason_class": "unknown" if reason else None,
                "job_luid": f"job-{day}-{number}",
                "evidence": _evidence(ended - length, ended, outcome, f"job-{day}-{number}"),
            }


def _evidence(started: float, ended: float, outcome: str, job_luid: str) -> str:
    """Return the evidence of a run as the inbox stores it."""
    started_at, ended_at = from_timestamp(started).isoformat(), from_timestamp(ended).isoformat()
    piece = {"source": "job list", "outcome": outcome, "recorded_at": ended_at, "kind": "workbook"}
    return json.dumps([{**piece, "started_at": started_at, "ended_at": ended_at, "job_luid": job_luid}])


def _events(site: Site, number_of_events: int) -> Iterator[dict[str, Any]]:
    start = site.now.timestamp() - 90 * DAY
    types = ("WorkbookRefreshSucceeded", "WorkbookRefreshStarted", "WorkbookUpdated", "WorkbookRefreshFailed")
    for number in range(number_of_events):
        event_type = types[number % 3] if number % 50 else types[3]
        place = (number * 31) % len(site.luids)
        received = start + 90 * DAY * number / number_of_events
        body = {
            "resource": "WORKBOOK",
            "event_type": event_type,
            "resource_name": site.name(place),
            "site_luid": SITE,
            "resource_luid": site.luids[place],
            "created_at": f"{datetime.fromtimestamp(received, site.now.tzinfo):%Y-%m-%dT%H:%M:%SZ}",
            "text": f"#{number}",
        }
        yield {
            "fingerprint": hashlib.sha256(str(number).encode()).digest(),
            "body": json.dumps(body).encode(),
            "event_type": event_type,
            "resource_luid": site.luids[place],
            "resource_name": site.name(place),
            "site_luid": SITE,
            "received_at": received,
            "state": 1 if number % 10 == 0 else 2,
        }


def _jobs(site: Site, number_of_events: int) -> Iterator[dict[str, Any]]:
    start = site.now.timestamp() - 90 * DAY
    for number in range(0, number_of_events, 10):
        at = start + 90 * DAY * number / number_of_events
        is_dead = number % 20_000 == 0
        yield {
            "event_id": number + 1,
            "key": "Refresh failures/notify/slack:#bi",
            "rule": "Refresh failures",
            "handler": "notify",
            "params": '{"to": "slack:#bi"}',
            "state": int(JobState.DEAD if is_dead else JobState.DONE),
            "attempts": 1,
            "max_attempts": 20,
            "due_at": at,
            "error": "Slack: channel_not_found" if is_dead else None,
            "created_at": at,
            "started_at": at + 0.1,
            "finished_at": at + 0.4,
        }


def _attempts(number_of_events: int) -> Iterator[dict[str, Any]]:
    for number in range(0, number_of_events, 10):
        at = 1_700_000_000.0 + number
        yield {
            "job_id": number // 10 + 1,
            "number": 1,
            "worker": "host:1",
            "started_at": at,
            "finished_at": at + 0.3,
            "outcome": "done",
        }


def _fail(inbox: Inbox, site: Site) -> None:
    """Let some content fail now, with details, and let one incident be acknowledged."""
    for number in range(min(12, len(site.luids))):
        failures = 1 + number % 5
        for failure in range(failures):
            inbox.incidents.learn(
                RunEvidence(
                    source="job list",
                    site_luid=SITE,
                    resource_luid=site.luids[number],
                    resource_kind="workbook",
                    outcome="failed",
                    recorded_at=site.now,
                    started_at=site.now - (50 - 10 * failure + number) * MINUTE - MINUTE,
                    ended_at=site.now - (50 - 10 * failure + number) * MINUTE,
                    resource_name=site.name(number),
                    reason=REASONS[number % len(REASONS)],
                    job_luid=f"failing-{number}-{failure}",
                )
            )
        (record,) = inbox.incidents.list(IncidentFilter(states=["open"], resources=[site.luids[number]]))
        details = ResourceDetails(
            project=site.project(number),
            owner=OWNERS[number % len(OWNERS)],
            link="https://tableau.example/#/workbooks/1",
            strikes=failures,
            next_run_at=site.now + (20 + number) * MINUTE,
            downstream=number or None,
        )
        inbox.incidents.save_details(record.id, details)
        if number % 4 == 2:
            act = Act("", "acknowledge", "", site.now, "Chloé", site.now + 240 * MINUTE, "credentials ordered")
            inbox.incidents.act(record.id, act)
