"""Pages in this process: an application on a SQLite file, and incidents to look at."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.event import parse
from webhooks.inbox import Inbox, IncidentRecord, ResourceDetails
from webhooks.incidents import IncidentFilter, RunEvidence
from webhooks.services import Services

PASSWORD = "password-of-the-test"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
BASIC = ("admin", PASSWORD)
SITE = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Create applications with other settings; they are stopped after the test."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        made.append(create_app(Settings.read(_env_file=None, **{**settings.model_dump(), **changes})))
        return made[-1]

    yield make
    for app in made:
        app.extensions["webhooks"].stop()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Return an application without a password."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a browser on the server's machine."""
    return app.test_client()


@pytest.fixture
def protected(make_app: Callable[..., Flask]) -> FlaskClient:
    """Return a browser for an application with a password."""
    return make_app(admin_password=PASSWORD).test_client()


def services_of(client: FlaskClient) -> Services:
    """Return the services behind a browser."""
    found: Services = client.application.extensions["webhooks"]
    return found


@pytest.fixture
def inbox(client: FlaskClient) -> Inbox:
    """Return the inbox behind `client`."""
    return services_of(client).inbox


NUMBERS = itertools.count(1)


def fail(inbox: Inbox, name: str = "Month End Close", reason: str = "Disk full", **details: Any) -> IncidentRecord:
    """Let the refresh of content fail, and return its incident."""
    number = next(NUMBERS)
    luid = f"e3417f6a-1c11-4a07-9f2e-{number:012d}"
    event = {
        "event_type": "WorkbookRefreshFailed",
        "resource": "WORKBOOK",
        "resource_name": name,
        "resource_luid": luid,
        "site_luid": SITE,
        "created_at": f"{utc_now() - timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        "text": f"{number}",
    }
    parsed = parse(json.dumps(event).encode())
    assert parsed
    inbox.events.receive(parsed)
    inbox.events.plan(lambda _: ())
    at = utc_now() - timedelta(minutes=30)
    facts: Any = {"site_luid": SITE, "resource_luid": luid, "resource_kind": "workbook", "resource_name": name}
    known = RunEvidence(**facts, source="job list", outcome="failed", recorded_at=at, ended_at=at, reason=reason)
    inbox.incidents.learn(known)
    (record,) = inbox.incidents.list(IncidentFilter(resources=[luid]))
    inbox.incidents.save_details(record.id, ResourceDetails(**details))
    return inbox.incidents.get(record.id)
