"""Commands in this process, against a simulated site over HTTP and a receiver over HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from click.testing import Result
from flask import Flask
from werkzeug.serving import make_server

from simulator import Running, running
from simulator.site import Webhook
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.services import Services

TOKEN = "hooks-tok-71c2"
RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
notify = "slack:#bi"

[[rule]]
name = "Published"
on = ["WorkbookCreated"]
notify = "slack:#bi"

[dead_letters]
notify = "slack:#bi"
"""
NEEDED = {"DatasourceRefreshFailed", "WorkbookCreated", "WorkbookRefreshFailed"}

Run = Callable[..., Result]


@pytest.fixture
def site() -> Iterator[Running]:
    """A small Tableau and Slack."""
    with running() as started:
        yield started


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


@pytest.fixture
def settings(site: Running, tmp_path: Path, rules_file: Path) -> Settings:
    """A server whose outside world is the simulator."""
    outside = {name.lower(): value for name, value in site.environment.items()}
    database = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    mine = {"database_url": database, "rules_file": rules_file, "webhook_token": TOKEN, "worker_threads": 0}
    return Settings(_env_file=None, **{**outside, **mine})


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Settings], Run]]:
    """Runs commands of an application with these settings: `make(settings)("webhooks", "list")`."""
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    made: list[Flask] = []

    def with_settings(settings: Settings) -> Run:
        app = create_app(settings)
        made.append(app)

        def run(*words: object, stdin: str | None = None) -> Result:
            result = app.test_cli_runner().invoke(args=[str(word) for word in words], input=stdin)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            return result

        return run

    yield with_settings
    for app in made:
        app.extensions["webhooks"].stop()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def flask(make: Callable[[Settings], Run], settings: Settings) -> Run:
    return make(settings)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """The application's parts, in this process."""
    made = Services(settings)
    yield made
    made.stop()


@pytest.fixture
def inbox(services: Services) -> Inbox:
    return services.inbox


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    """The receiver over real HTTP; gives its address without a path."""
    app = create_app(settings)
    made = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()
    app.extensions["webhooks"].stop()


def hooks(site: Running) -> list[Webhook]:
    """The webhooks at Tableau's side, as they are."""
    return list(site.world.home.webhooks.values())


def fault(site: Running, **wish: object) -> None:
    assert requests.post(f"{site.url}/simulator/faults", json=wish, timeout=5).status_code == 201


def slack(site: Running) -> list[str]:
    """The texts that Slack received, oldest first."""
    told = requests.get(f"{site.url}/simulator/messages", timeout=5).json()["slack"]
    return [f"{message['text']} {message.get('blocks')}" for message in told if not message["thread_ts"]]
