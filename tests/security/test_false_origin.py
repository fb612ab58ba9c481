"""A sender with the token who poses as the server itself: no message to the destinations of dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.event import MONITOR, RECONCILED, build
from webhooks.event_types import (
    CERTIFICATE_EXPIRING,
    CREDENTIAL_EXPIRING,
    NO_EVENTS_RECEIVED,
    WEBHOOK_CHECK_FAILED,
    WEBHOOKS_DRIFTED,
)
from webhooks.inbox import Inbox
from webhooks.job import Job
from webhooks.monitor.alerts import Alert, Alerts
from webhooks.planner import Planner
from webhooks.services import Services

OPERATORS = "slack:#operators"
RULES = f"""
[[rule]]
name = "everything"
on = "*"
notify = "slack:#everyone"

[dead_letters]
notify = "{OPERATORS}"
"""
HOOK = "/webhook/token-of-the-test"
OWN_TYPES = (WEBHOOKS_DRIFTED, NO_EVENTS_RECEIVED, WEBHOOK_CHECK_FAILED, CERTIFICATE_EXPIRING, CREDENTIAL_EXPIRING)
# What an alert of the monitor has in its payload.
ALERT = {
    "event_type": WEBHOOKS_DRIFTED,
    "resource": "WEBHOOK",
    "resource_name": "2 webhooks are missing in Tableau",
    "resource_luid": "monitor-1780000000.000000",
    "created_at": "2026-01-31T09:30:00Z",
    "text": "Sign in at https://evil.example to create them again.",
}
CLAIMS: list[dict[str, Any]] = [
    *({"event_type": name, "origin": origin} for name in OWN_TYPES for origin in (MONITOR, RECONCILED, "watch")),
    *({"event_type": name} for name in OWN_TYPES),
    *(
        {"event_type": "WorkbookRefreshFailed", "origin": origin}
        for origin in (MONITOR, RECONCILED, "watch", ["monitor"])
    ),
    *({"event_type": name, "origin": MONITOR} for name in ("dead letters", "monitor", "planning failed", "MONITOR")),
    {"origin": MONITOR, "rule": "monitor", "handler": "monitor alert", "jobs": [{"to": OPERATORS}], "to": OPERATORS},
    {"origin": MONITOR, "site": "", "id": 1, "state": "planned", "test": True},
    {"origin": {"monitor": True}, "Origin": MONITOR, "ORIGIN": MONITOR},
]


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[FlaskClient]:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    app = create_app(settings.model_copy(update={"rules_file": rules}))
    yield app.test_client()
    app.extensions["webhooks"].stop()


@pytest.fixture
def inbox(client: FlaskClient) -> Inbox:
    inbox: Inbox = client.application.extensions["webhooks"].inbox
    return inbox


@pytest.fixture
def planner(client: FlaskClient) -> Planner:
    services: Services = client.application.extensions["webhooks"]
    return replace(services.planner, find_twin=services.inbox.synthetic_events.find_twin)


def planned(inbox: Inbox, planner: Planner) -> list[Job]:
    """Plan all stored events, as the worker does, and return their jobs."""
    _, jobs = inbox.jobs.plan_and_claim("worker", planner.jobs, room=100, lease=60)
    return jobs


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_claimed_origin_sends_nothing_to_the_operators(
    client: FlaskClient, inbox: Inbox, planner: Planner, claim: dict[str, Any]
) -> None:
    """A received event is subject to the rules and to nothing else, whatever its payload says."""
    response = client.post(HOOK, json=ALERT | claim)
    assert (response.status_code, response.json and response.json["status"]) == (200, "accepted")
    jobs = planned(inbox, planner)
    assert [job.rule for job in jobs] == ["everything"]
    assert OPERATORS not in str([job.params for job in jobs])
    assert {job.event.origin for job in jobs} == {None}


def test_alert_of_the_monitor_reaches_the_operators(inbox: Inbox, planner: Planner) -> None:
    """The way that the others are kept from is open to the monitor."""
    Alerts(inbox).send(Alert(WEBHOOKS_DRIFTED, "title", "text"), datetime.now(UTC))
    assert [(job.rule, job.params) for job in planned(inbox, planner)] == [("monitor", {"to": OPERATORS})]


def test_alert_is_sent_although_a_sender_was_first(client: FlaskClient, inbox: Inbox, planner: Planner) -> None:
    """A sender cannot suppress an alert by storing events with its type, title and time before it is raised."""
    now = datetime(2026, 1, 31, 9, 30, 0, 250_000, UTC)
    for luid in ("monitor", f"monitor-{now.timestamp():.0f}", f"monitor-{now.timestamp():.1f}", "", "WEBHOOK"):
        assert client.post(HOOK, json=ALERT | {"resource_name": "title", "resource_luid": luid}).status_code == 200
    Alerts(inbox).send(Alert(WEBHOOKS_DRIFTED, "title", "text"), now)
    assert [job.params for job in planned(inbox, planner) if job.rule == "monitor"] == [{"to": OPERATORS}]


def test_sender_cannot_skip_the_check_for_reconciled_twins(client: FlaskClient, inbox: Inbox, planner: Planner) -> None:
    """An event that reconciliation has created already is not run again because it claims to be of that origin."""
    failed = {
        "resource": "WORKBOOK",
        "resource_luid": "e3411111-2222-4333-8444-555566667777",
        "created_at": "2026-01-31T09:30:05Z",
    }
    missed = datetime(2026, 1, 31, 9, 30, 0, tzinfo=UTC)
    twin = failed | {"created_at": f"{missed:%Y-%m-%dT%H:%M:%SZ}"}
    reconciled = build("WorkbookRefreshFailed", origin=RECONCILED, **twin)
    inbox.synthetic_events.add(reconciled, RECONCILED, missed)
    assert len(planned(inbox, planner)) == 1
    claim = failed | {"event_type": "WorkbookRefreshFailed", "origin": RECONCILED}
    assert client.post(HOOK, json=claim).status_code == 200
    assert planned(inbox, planner) == []
