"""Events with a false time, sent with the token or by a machine whose clock is wrong: no failure is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.services import Services

LUID = "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"
RULES = '[[rule]]\nname = "failures"\non = "*RefreshFailed"\nnotify = "slack:#bi"\n'


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[FlaskClient]:
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    app = create_app(settings.model_copy(update={"rules_file": tmp_path / "rules.toml"}))
    yield app.test_client()
    app.extensions["webhooks"].stop()


def send(client: FlaskClient, event_type: str, created_at: object, **more: Any) -> None:
    """Send an event about the workbook."""
    event = {"event_type": event_type, "resource": "WORKBOOK", "resource_name": "Sales", "resource_luid": LUID}
    sent = client.post("/webhook/token-of-the-test", json={**event, "created_at": created_at, **more})
    assert sent.status_code == 200, sent.text


def states(client: FlaskClient) -> list[str]:
    """Plan all events, and return the states of the incidents, oldest first."""
    services: Services = client.application.extensions["webhooks"]
    inbox: Inbox = services.inbox
    while inbox.events.plan(services.planner.jobs):
        pass
    return [record.incident.state for record in reversed(inbox.incidents.list())]


AHEAD = [timedelta(minutes=30), timedelta(hours=20), timedelta(days=29), timedelta(days=4000)]


@pytest.mark.parametrize("ahead", AHEAD, ids=str)
@pytest.mark.parametrize("event_type", ["WorkbookRefreshSucceeded", "WorkbookRefreshStarted"])
def test_event_of_the_future_hides_no_failure(client: FlaskClient, event_type: str, ahead: timedelta) -> None:
    """A run that would end after every failure to come is taken for one that ended when its event was received."""
    send(client, event_type, f"{utc_now() + ahead:%Y-%m-%dT%H:%M:%SZ}")
    assert states(client) == []
    send(client, "WorkbookRefreshFailed", f"{utc_now() + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}")
    assert states(client) == ["open"]


@pytest.mark.parametrize("ahead", AHEAD, ids=str)
def test_failure_of_the_future_can_recover(client: FlaskClient, ahead: timedelta) -> None:
    """Its incident is closed by the next success."""
    send(client, "WorkbookRefreshFailed", f"{utc_now() + ahead:%Y-%m-%dT%H:%M:%SZ}")
    assert states(client) == ["open"]
    send(client, "WorkbookRefreshSucceeded", f"{utc_now() + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}")
    assert states(client) == ["closed"]


@pytest.mark.parametrize("created_at", ["0001-01-01T00:00:00Z", "2001-01-01T00:00:00Z", None, 1, ["2001"], "soon"])
def test_failure_without_a_credible_time_is_open(client: FlaskClient, created_at: object) -> None:
    """It is taken for one of now."""
    send(client, "WorkbookRefreshFailed", created_at)
    assert states(client) == ["open"]
