"""Reconciliation after downtime: missed events are stored once, received ones are not stored again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Running
from tests.support.server import serving, wait_for
from tests.support.simulated_site import inject_fault, slack_messages
from webhooks.config.settings import Settings
from webhooks.event import parse
from webhooks.inbox import Inbox
from webhooks.monitor import reconcile
from webhooks.monitor.reconcile import Reconciler
from webhooks.services import Services

DESIRED = (
    "WorkbookCreated",
    "WorkbookUpdated",
    "WorkbookDeleted",
    "DatasourceUpdated",
    "DatasourceDeleted",
    "WorkbookRefreshFailed",
    "WorkbookRefreshSucceeded",
    "DatasourceRefreshFailed",
)

Payload = dict[str, Any]
Run = Callable[..., list[Payload]]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.fixture
def run(services: Services) -> Run:
    """Reconcile, `later` minutes from now; return the payloads of the events that were stored, oldest first."""
    reconcilers: list[Reconciler] = []

    def run(later: float = 0, *, restarted: bool = True) -> list[Payload]:
        inbox = services.inbox
        if restarted or not reconcilers:
            reconcilers.append(Reconciler(inbox, services.client, DESIRED, grace=timedelta(0)))
        before = {record.event.id for record in inbox.events.list(limit=500)}
        reconcilers[-1].run(datetime.now(UTC) + minutes(later))
        stored = [record.event for record in inbox.events.list(limit=500) if record.event.id not in before]
        return [dict(event.payload) for event in reversed(stored)]

    return run


def cause(site: Running, **event: str) -> Payload:
    """Make something happen on the site without delivering a webhook; return the payload of the event."""
    response = requests.post(f"{site.url}/simulator/events", json=event, timeout=30)
    assert response.status_code == 200, response.text
    payload: Payload = response.json()["event"]
    return payload


def receive(inbox: Inbox, payload: Payload, *, seconds: float = 0) -> None:
    """Receive the event, with a time that differs by `seconds`."""
    created_at = datetime.fromisoformat(payload["created_at"]) + timedelta(seconds=seconds)
    event = parse(json.dumps({**payload, "created_at": f"{created_at:%Y-%m-%dT%H:%M:%SZ}"}).encode())
    assert event
    inbox.events.receive(event)


def summary(payload: Payload) -> tuple[str, str, str]:
    return payload["event_type"], payload["resource_luid"], payload["resource_name"]


def test_first_run_only_remembers_what_is_there(run: Run, inbox: Inbox, site: Running) -> None:
    """A new server does not report last week, but it knows the owner and the project of all content."""
    assert run() == []
    workbook = next(iter(site.world.home.workbooks.values()))
    known = inbox.resources.get(workbook.luid)
    assert known
    owner = site.world.home.users[workbook.owner]
    assert known.name == workbook.name
    assert owner.full_name in known.owner
    assert known.project == site.world.home.projects[workbook.project].name


def test_missed_events_are_stored(run: Run, site: Running) -> None:
    """Refreshes and created, updated and deleted content, each as Tableau would have sent it, and marked."""
    run(-1)
    events = [
        cause(site, event_type="WorkbookCreated", name="Published meanwhile"),
        cause(site, event_type="DatasourceUpdated"),
        cause(site, event_type="WorkbookRefreshFailed", reason="Login failed"),
    ]
    affected = {event["resource_luid"] for event in events}
    other = next(workbook.name for luid, workbook in site.world.home.workbooks.items() if luid not in affected)
    events.append(cause(site, event_type="WorkbookDeleted", name=other))
    stored = run(1)
    assert sorted(map(summary, stored)) == sorted(map(summary, events))
    assert {payload["origin"] for payload in stored} == {"reconciled"}
    assert {payload["site_luid"] for payload in stored} == {site.world.home.luid}
    assert run(2) == []


@pytest.mark.parametrize("job_type", ["refresh_extracts_via_bridge", "increment_extracts_via_bridge"])
def test_missed_refreshes_by_bridge_are_stored(run: Run, site: Running, job_type: str) -> None:
    """Tableau Bridge has job types of its own."""
    run(-1)
    failed = cause(site, event_type="DatasourceRefreshFailed", reason="Login failed")
    for job in site.world.home.jobs.values():
        job.job_type = job_type
    assert [summary(payload) for payload in run(1)] == [summary(failed)]


def test_received_events_are_not_stored_again(run: Run, inbox: Inbox, site: Running) -> None:
    """Their times may differ by seconds."""
    run(-1)
    for event_type in ("WorkbookCreated", "DatasourceUpdated", "WorkbookRefreshFailed", "DatasourceDeleted"):
        receive(inbox, cause(site, event_type=event_type), seconds=4)
    assert run(1) == []


def test_only_desired_events_are_stored_and_only_their_jobs_are_requested(
    services: Services, inbox: Inbox, site: Running
) -> None:
    """Events that no rule or handler needs have no webhook either."""
    reconciler = Reconciler(inbox, services.client, ["ViewDeleted"], grace=timedelta(0))
    reconciler.run(datetime.now(UTC) - minutes(1))
    cause(site, event_type="WorkbookRefreshFailed")
    cause(site, event_type="WorkbookCreated")
    reconciler.run(datetime.now(UTC) + minutes(1))
    assert inbox.events.list() == []
    assert not [call for call in site.world.calls.log if "/jobs/" in call.path]


def test_many_missed_refreshes_are_stored_in_portions(run: Run, site: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """All clients of a site share its limit of job requests; the next run continues where this one ended."""
    monkeypatch.setattr(reconcile, "MAX_JOBS", 2)
    run(-1)
    names = [workbook.name for workbook in site.world.home.workbooks.values() if workbook.has_extracts][:5]
    for name in names:
        cause(site, event_type="WorkbookRefreshFailed", name=name)
    portions = [run(minute) for minute in (1, 2, 3, 4)]
    assert [len(portion) for portion in portions] == [2, 2, 1, 0]
    assert sorted(payload["resource_name"] for portion in portions for payload in portion) == sorted(names)


def test_refresh_is_not_mistaken_for_an_update(run: Run, site: Running) -> None:
    """A refresh changes the content's time, too."""
    run(-1)
    cause(site, event_type="WorkbookRefreshSucceeded")
    assert [payload["event_type"] for payload in run(1)] == ["WorkbookRefreshSucceeded"]


def test_interrupted_run_loses_nothing(run: Run, site: Running) -> None:
    """If Tableau fails in the middle, the next run stores everything, and nothing twice."""
    run(-1)
    cause(site, event_type="WorkbookCreated", name="Published meanwhile")
    cause(site, event_type="WorkbookRefreshFailed")
    inject_fault(site, kind="error", target="tableau", path="/datasources", code="500000")
    assert run(1) == []
    site.world.faults.remove()
    assert len(run(2)) == 2
    assert run(3) == []


def test_later_runs_find_changes(run: Run, site: Running) -> None:
    """Unless the server was restarted, a run requests what changed, not everything."""
    run(-1)
    run(0)
    cause(site, event_type="WorkbookUpdated")
    assert [payload["event_type"] for payload in run(1, restarted=False)] == ["WorkbookUpdated"]


def test_late_original_of_a_reconciled_event_makes_no_job(
    services: Services, settings: Settings, run: Run, site: Running
) -> None:
    """If Tableau's last attempt arrives after reconciliation, the event is stored and makes no second message."""
    object.__setattr__(services, "settings", settings.model_copy(update={"webhook_url": "https://h.example.org"}))
    run(-1)
    original = cause(site, event_type="WorkbookRefreshFailed")
    assert len(run(1)) == 1
    assert services.inbox.events.plan(services.planner.jobs) == 1
    receive(services.inbox, original, seconds=4)
    services.inbox.events.plan(services.planner.jobs)
    received, reconciled = services.inbox.events.list()
    assert (received.state, reconciled.state) == ("ignored", "planned")


@pytest.mark.second_stage
def test_server_reconciles_and_names_the_owner(site: Running, tmp_path: Path, rules_file: Path) -> None:
    """A real server is down while a workbook is deleted and another one published; messages about both are sent."""
    rules_file.write_text('[[rule]]\nname = "all"\non = ["WorkbookCreated", "WorkbookDeleted"]\nnotify = "slack:#bi"\n')
    workbook = next(iter(site.world.home.workbooks.values()))
    owner = site.world.home.users[workbook.owner].full_name
    more = {"WEBHOOK_URL": "http://hooks.example.org", "RULES_FILE": str(rules_file), "WATCH_MINUTES": "0.02"}
    with serving(tmp_path, site.environment, **more) as server:
        wait_for(lambda: has_cursor(server.environment["DATABASE_URL"]), what="the first run")
        wait_for(lambda: slack_messages(site), what="the alert that webhooks are missing")
    cause(site, event_type="WorkbookDeleted", name=workbook.name)
    cause(site, event_type="WorkbookCreated", name="Published meanwhile")
    make_older(site, tmp_path)
    with serving(tmp_path, site.environment, **more):
        wait_for(lambda: len(slack_messages(site)) >= 3, seconds=40, what="both messages")
    messages = "\n".join(slack_messages(site))
    assert f"Workbook deleted: {workbook.name}" in messages
    assert owner.split("'")[0] in messages
    assert "Workbook created: Published meanwhile" in messages
    assert "missed webhook, found by reconciliation" in messages


def has_cursor(url: str) -> bool:
    inbox = Inbox.open(url)
    try:
        return inbox.state.get(reconcile.CURSOR) is not None
    finally:
        inbox.close()


def make_older(site: Running, folder: Path) -> None:
    """Move what happened, and the stored cursor, ten minutes into the past, so that the grace period is over."""
    past = minutes(10)
    with site.world.lock:
        for workbook in site.world.home.workbooks.values():
            workbook.created_at, workbook.updated_at = workbook.created_at - past, workbook.updated_at - past
    inbox = Inbox.open(f"sqlite:///{folder / 'inbox.sqlite3'}")
    cursor = inbox.state.get(reconcile.CURSOR)
    inbox.state.set(reconcile.CURSOR, {name: at - past.total_seconds() for name, at in cursor.items()})
    inbox.close()
