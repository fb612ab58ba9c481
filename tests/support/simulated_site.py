"""Fixtures for commands that run in this process against a simulated Tableau site, and a receiver over real HTTP.

Import the fixtures that a package of tests needs into its `conftest.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from simulator import Running, running
from simulator.world.site import Webhook
from tests.support import flask_commands
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.services import Services

TOKEN = "hooks-tok-71c2"
RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
each = true
notify = "slack:#bi"

[[rule]]
name = "Published"
on = ["WorkbookCreated"]
notify = "slack:#bi"

[dead_letters]
notify = "slack:#bi"
"""
# The event types that RULES are about.
DESIRED = {"DatasourceRefreshFailed", "WorkbookCreated", "WorkbookRefreshFailed"}

RunFlask = flask_commands.RunFlask
MakeFlask = Callable[[Settings], RunFlask]


@pytest.fixture
def site() -> Iterator[Running]:
    """Start a small Tableau site and a Slack workspace."""
    with running() as started:
        yield started


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


@pytest.fixture
def settings(site: Running, tmp_path: Path, rules_file: Path) -> Settings:
    """Return the settings of a server that uses the simulator for all other services."""
    simulated = {name.lower(): value for name, value in site.environment.items()}
    database = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    own = {"database_url": database, "rules_file": rules_file, "webhook_token": TOKEN, "worker_threads": 0}
    return Settings(_env_file=None, **{**simulated, **own})


@pytest.fixture
def make_flask(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeFlask]:
    """Run commands of an application with given settings: `make_flask(settings)("webhooks", "list")`."""
    apps: list[Flask] = []

    def make(settings: Settings) -> RunFlask:
        apps.append(create_app(settings))
        return flask_commands.command_runner(apps[-1])

    with flask_commands.as_flask_command(monkeypatch):
        yield make
        for app in apps:
            app.extensions["webhooks"].stop()


@pytest.fixture
def flask(make_flask: MakeFlask, settings: Settings) -> RunFlask:
    """Run a command: `flask("webhooks", "list")`; the result has exit_code, stdout and stderr."""
    return make_flask(settings)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """Return the application's parts, in this process."""
    services = Services(settings)
    yield services
    services.stop()


@pytest.fixture
def inbox(services: Services) -> Inbox:
    return services.inbox


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    """Serve the receiver over real HTTP; return its address without a path."""
    app = create_app(settings)
    wsgi = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=wsgi.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{wsgi.server_port}"
    wsgi.shutdown()
    thread.join()
    wsgi.server_close()
    app.extensions["webhooks"].stop()


def registered_webhooks(site: Running) -> list[Webhook]:
    """Return the webhooks of the simulated site."""
    return list(site.world.home.webhooks.values())


def inject_fault(site: Running, **fault: object) -> None:
    """Make the simulator fail as `fault` says."""
    assert requests.post(f"{site.url}/simulator/faults", json=fault, timeout=30).status_code == 201


def slack_messages(site: Running) -> list[str]:
    """Return the texts of the top-level messages that Slack received, oldest first."""
    received = requests.get(f"{site.url}/simulator/messages", timeout=30).json()["slack"]
    return [f"{message['text']} {message.get('blocks')}" for message in received if not message["thread_ts"]]
