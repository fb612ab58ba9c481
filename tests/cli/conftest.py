"""Run commands in this process on a real inbox and real rules, and a server for those that need one."""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.support.flask_commands import RunFlask, as_flask_command, command_runner
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.job import Job
from webhooks.services import Services

TOKEN = "tok-5f1c9a"
PAT = "pat-secret-77"

RULES = """
[[rule]]
name = "Finance failures"
on = ["WorkbookRefreshFailed", "DatasourceRefreshFailed"]
where = { name = "Finance*" }
notify = ["slack:#finance", "twilio:+15550100"]

[[rule]]
name = "Published"
on = "WorkbookCreated"
notify = "console"
"""

Run = RunFlask
Receive = Callable[..., int]
# `refreshed("Failed", "Sales", minutes=90)`
Refreshed = Callable[..., int]


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """Write two rules: one with two destinations and a condition, one that prints."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


@pytest.fixture
def settings(tmp_path: Path, rules_file: Path) -> Settings:
    """Return the settings of a server without credentials for other services, but with secrets of its own."""
    return Settings(
        _env_file=None,
        database_url=f"sqlite:///{tmp_path / 'inbox.sqlite3'}",
        rules_file=rules_file,
        webhook_token=TOKEN,
        tableau_pat_secret=PAT,
        slack_token="",
        worker_threads=0,
    )


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Return the application as a `flask` command creates it, after the server has created the inbox."""
    Inbox.open(settings.database_url.get_secret_value()).close()
    with as_flask_command(monkeypatch):
        yield create_app(settings)


@pytest.fixture
def services(app: Flask) -> Iterator[Services]:
    """Return the services of the application, closed at the end."""
    made: Services = app.extensions["webhooks"]
    yield made
    made.stop()


@pytest.fixture
def flask(app: Flask, services: Services) -> Run:
    """Run a command: `flask("events", "list")`; the result has exit_code, stdout and stderr."""
    return command_runner(app)


@pytest.fixture
def inbox(services: Services) -> Inbox:
    """Return the inbox that the commands read."""
    return services.inbox


@pytest.fixture
def receive(inbox: Inbox) -> Receive:
    """Store an event of this type, a different one at each call, and return its id."""
    seconds = itertools.count()

    def store(event_type: str = "WorkbookRefreshFailed", **fields: Any) -> int:
        payload = {
            "resource": "EXTRACTS",
            "event_type": event_type,
            "resource_name": "Finance 2026",
            "site_luid": "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6",
            "resource_luid": "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e",
            "created_at": f"2026-01-31T09:{next(seconds):02}:00Z",
            **fields,
        }
        event = parse(json.dumps(payload, ensure_ascii=False).encode())
        assert event
        return inbox.events.receive(event).id

    return store


@pytest.fixture
def refreshed(receive: Receive, services: Services) -> Refreshed:
    """Receive and plan a refresh that ended some minutes ago; return the id of the event."""

    def refresh(outcome: str, name: str = "Finance 2026", *, minutes: float = 0, **fields: Any) -> int:
        ended = datetime.now(UTC) - timedelta(minutes=minutes)
        luid = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        given = {"created_at": f"{ended:%Y-%m-%dT%H:%M:%SZ}", "resource_name": name, "resource_luid": luid, **fields}
        event_id = receive(f"WorkbookRefresh{outcome}", **given)
        services.inbox.events.plan(services.planner.jobs)
        return event_id

    return refresh


@pytest.fixture
def claim(services: Services) -> Callable[[], list[Job]]:
    """Plan the received events by the rules, and claim all jobs that are due."""

    def plan_and_claim() -> list[Job]:
        services.inbox.events.plan(services.planner.jobs)
        return services.inbox.jobs.claim("host:1:test", 100, 60)

    return plan_and_claim


@pytest.fixture
def server(app: Flask, services: Services) -> Iterator[str]:
    """Serve the application over real HTTP, and return its address without a path."""
    made = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


def objects(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects of a text with one per line."""
    return [json.loads(line) for line in text.splitlines()]


def stored(inbox: Inbox, event_id: int) -> Event:
    """Return the event of this id."""
    record = inbox.events.get(event_id)
    assert record
    return record.event


NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
