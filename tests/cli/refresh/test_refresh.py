"""Test `flask refresh` against a simulated Tableau."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from simulator import Running
from tests.support.handler_context import make_event
from tests.support.simulated_site import RunFlask
from webhooks.clock import utc_now
from webhooks.context.refreshes import STARTS, RefreshRefused, take_start
from webhooks.event import parse
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.incidents.incident import Finding
from webhooks.services import Services

Fail = Callable[..., IncidentRecord]


@pytest.fixture
def fail(site: Running, inbox: Inbox, services: Services) -> Fail:
    """Receive and plan a failed refresh of content on the simulated site, and return its incident."""

    def failure(kind: str = "workbook", luid: str = "") -> IncidentRecord:
        home = site.world.home
        contents = {"workbook": home.workbooks, "datasource": home.datasources, "flow": home.flows}[kind]
        content = contents[luid] if luid in contents else next(iter(contents.values()))
        payload = {
            "resource": "EXTRACTS",
            "event_type": f"{kind.capitalize()}RefreshFailed",
            "resource_name": content.name,
            "site_luid": home.luid,
            "resource_luid": luid or content.luid,
            "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        event = parse(json.dumps(payload).encode())
        assert event
        inbox.events.receive(event)
        inbox.events.plan(services.planner.jobs)
        return inbox.incidents.list()[0]

    return failure


def test_refresh_is_started_followed_and_recorded(flask: RunFlask, site: Running, inbox: Inbox, fail: Fail) -> None:
    """The job in Tableau is named, its end is awaited, and the incident has an act with the job."""
    record = fail()
    result = flask("refresh", record.id, "--by", "Ann")
    assert result.exit_code == 0, result.output
    started, ended = result.stdout.splitlines()
    (act,) = inbox.incidents.get(record.id).incident.acts
    assert (act.kind, act.by) == ("refresh", "Ann")
    assert started == (f"Refresh of the workbook {record.incident.resource_name} started: Tableau job {act.job_luid}")
    assert ended.startswith(f"Refreshed the workbook {record.incident.resource_name}")
    assert act.job_luid in site.world.home.jobs


def test_event_names_its_content(flask: RunFlask, inbox: Inbox, fail: Fail) -> None:
    """With `event:ID`, the content of the event is refreshed, and its open incident has the act."""
    record = fail("datasource")
    result = flask("refresh", f"event:{record.event_id}", "--no-wait", "--json")
    outcome = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (outcome["incident"], outcome["resource_kind"]) == (record.id, "datasource")
    (act,) = inbox.incidents.get(record.id).incident.acts
    assert act.job_luid == outcome["job_luid"]


def test_deadline_and_conflict(flask: RunFlask, site: Running, inbox: Inbox, fail: Fail) -> None:
    """A refresh that has not ended by the deadline goes on in Tableau; a second one is refused and recorded."""
    record = fail()
    site.world.config = replace(site.world.config, refresh_seconds=3600)
    unfinished = flask("refresh", record.id, "--wait", "1s")
    assert unfinished.exit_code == 1
    assert "has not ended yet" in unfinished.stdout
    refused = flask("refresh", record.id)
    assert refused.exit_code == 1
    assert "is queued or running already" in refused.stderr
    assert len(inbox.incidents.get(record.id).incident.acts) == 1
    # Newest first.
    subject = f"incident {record.id}"
    job_luid = inbox.incidents.get(record.id).incident.acts[0].job_luid
    title = f"the workbook {record.incident.resource_name}"
    assert [(row.act, row.details.partition(": ")) for row in inbox.audit.list(subject=subject)] == [
        ("refresh", ("not started", ": ", f"A refresh of {title} is queued or running already.")),
        ("refresh", (f"Tableau job {job_luid}", "", "")),
    ]


def test_command_uses_the_budget_of_rules_and_buttons(flask: RunFlask, site: Running, inbox: Inbox, fail: Fail) -> None:
    """If others have started as many as Tableau accepts, none is started, and the time of the next is named."""
    record = fail()
    with suppress(RefreshRefused):
        for _ in range(STARTS):
            take_start(inbox, record.incident.site_luid)
    before = len(site.world.home.jobs)
    refused = flask("refresh", record.id)
    assert refused.exit_code == 1
    assert "Tableau accepts 60 refreshes an hour; the next one can start at" in refused.stderr
    assert len(site.world.home.jobs) == before
    assert inbox.incidents.get(record.id).incident.acts == ()


def test_problem_of_the_server_cannot_be_refreshed(flask: RunFlask, inbox: Inbox) -> None:
    """It is about no content, which is a sentence; nothing is recorded."""
    now = utc_now()
    found = Finding("", "webhooks", "webhook", "Webhooks", now, True, frozenset({"a"}), "a", (now, 0, "a"), since=now)
    inbox.findings.record("webhook", found, make_event("WebhooksDrifted"))
    result = flask("refresh", 1)
    assert result.exit_code == 1
    assert "Incident 1 is about no workbook, data source or flow, so nothing can be refreshed." in result.stderr
    assert inbox.audit.list() == []


def test_content_that_is_gone(flask: RunFlask, inbox: Inbox, fail: Fail) -> None:
    """A workbook that no longer exists is a sentence; the other targets are refreshed."""
    gone, record = fail(luid="11111111-2222-4333-8444-555555555555"), fail()
    result = flask("refresh", gone.id, record.id, "x", "99")
    assert result.exit_code == 1
    assert "it no longer exists, or the server's Tableau user cannot see it" in result.stderr
    assert "'x' is neither the number of an incident" in result.stderr
    assert "Incident 99 not found" in result.stderr
    assert "not started: Cannot refresh the workbook" in inbox.audit.list(subject=f"incident {gone.id}")[0].details
    assert len(inbox.incidents.get(record.id).incident.acts) == 1
