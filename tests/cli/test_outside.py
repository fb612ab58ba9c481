"""`flask notify`, `flask webhooks` and `flask worker`, against the simulator over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Running, running
from tests.cli.conftest import TOKEN, Receive, Run, objects
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox


@pytest.fixture
def simulator() -> Iterator[Running]:
    """A small Tableau, Slack and Twilio."""
    with running() as started:
        yield started


@pytest.fixture
def settings(simulator: Running, tmp_path: Path, rules_file: Path) -> Settings:
    """A server whose outside world is the simulator."""
    outside = {name.lower(): value for name, value in simulator.environment.items()}
    database = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    mine = {"database_url": database, "rules_file": rules_file, "webhook_token": TOKEN, "worker_threads": 0}
    return Settings(_env_file=None, **{**outside, **mine})


def test_notify_list_says_what_is_set_up(flask: Run) -> None:
    """Every notifier, and whether it has what it needs."""
    found = {one["name"]: one["set_up"] for one in objects(flask("notify", "list", "--json").stdout)}
    assert found == {"slack": True, "twilio": True, "apprise": False, "console": True}
    assert "apprise  not set up" in flask("notify", "list").stdout


def test_notify_test_sends_a_message(flask: Run, simulator: Running) -> None:
    """The credentials are checked, the message arrives, and where it went is told."""
    result = flask("notify", "test", "slack")
    assert result.exit_code == 0
    assert "Sent to " in result.stdout
    (told,) = objects(flask("notify", "test", "twilio", "--to", "+15550123", "--json").stdout)
    assert (told["to"], told["channel"]) == ("twilio:+15550123", "+15550123")


def test_notify_test_json_keeps_the_consoles_message_apart(flask: Run) -> None:
    """What the console prints is the message; the result alone is on stdout."""
    result = flask("notify", "test", "console", "--json")
    assert objects(result.stdout)[0]["to"] == "console"
    assert "A test from Tableau Webhooks" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("slack", "--to", "#nowhere"), 1, "channel_not_found"),
        (("apprise",), 1, "APPRISE_URLS"),
        (("slak",), 2, "did you mean slack?"),
        (("slack:#a", "--to", "#b"), 2, "leave --to out"),
        (("twilio", "--to", "nonsense"), 2, "nonsense"),
    ],
)
def test_notify_test_says_what_is_wrong(flask: Run, words: tuple[str, ...], code: int, said: str) -> None:
    """A refusal of the service ends with 1, a slip in writing with 2."""
    result = flask("notify", "test", *words)
    assert result.exit_code == code
    assert said in result.stderr


def test_webhooks_are_created_listed_tested_and_deleted(flask: Run, server: str) -> None:
    """The whole life of a webhook, without its token ever being shown."""
    empty = flask("webhooks", "list")
    assert (empty.exit_code, empty.stdout) == (0, "")
    outputs = [flask("webhooks", "create", "WorkbookCreated", "--url", server)]
    name = "tableau-webhooks WorkbookCreated"
    (made,) = objects(flask("webhooks", "list", "--json").stdout)
    assert (made["name"], made["event"], made["is_enabled"], made["ours"]) == (name, "WorkbookCreated", True, True)
    assert made["url"] == f"{server}/webhook/***"
    outputs += [flask("webhooks", "list"), flask("webhooks", "test", name), flask("webhooks", "enable", made["luid"])]
    outputs.append(flask("webhooks", "delete", name))
    for result in outputs:
        assert result.exit_code == 0, result.output
        assert TOKEN not in result.output
    assert "200" in outputs[2].stdout
    assert objects(flask("webhooks", "list", "--json").stdout) == []


def test_webhooks_of_others_are_not_deleted_without_a_yes(flask: Run) -> None:
    """A name that is not one of ours: only with --yes."""
    flask("webhooks", "create", "SiteUpdated", "--url", "https://other.example.org/hook", "--name", "somebody's")
    refused = flask("webhooks", "delete", "somebody's")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert flask("webhooks", "delete", "somebody's", "--yes").exit_code == 0


def test_webhooks_test_tells_of_a_failed_test(flask: Run, server: str) -> None:
    """The receiver's answer is told, with what to do about it."""
    flask("webhooks", "create", "SiteUpdated", "--url", f"{server}/webhook/wrong", "--name", "tableau-webhooks wrong")
    result = flask("webhooks", "test", "tableau-webhooks wrong")
    assert result.exit_code == 1
    assert "401" in result.stdout
    assert "WEBHOOK_TOKEN" in result.stderr


def test_webhooks_unknown_name_ends_with_1(flask: Run) -> None:
    """Nothing is done about a webhook that is not there."""
    for command in ("delete", "test", "enable"):
        result = flask("webhooks", command, "nothing")
        assert (result.exit_code, "no webhook 'nothing'" in result.stderr) == (1, True)


def test_worker_works_until_sigterm(settings: Settings, simulator: Running, inbox: Inbox, receive: Receive) -> None:
    """A process of its own plans and runs what is in the inbox, and ends in good order on the signal."""
    event_id = receive("WorkbookCreated")
    mine = {"DATABASE_URL": settings.database_url.get_secret_value(), "RULES_FILE": str(settings.rules_file)}
    environment = {**os.environ, **simulator.environment, **mine, "WORKER_THREADS": "0", "FLASK_APP": "index"}
    command = [sys.executable, "-m", "flask", "worker", "--threads", "1"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while _states(inbox, event_id) != ["done"] and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            out, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert _states(inbox, event_id) == ["done"], errors.decode()
    assert (process.returncode, b"Traceback" in errors) == (0, False)
    assert b"Finance 2026" in out


def _states(inbox: Inbox, event_id: int) -> list[str]:
    record = inbox.events.get(event_id)
    assert record
    return [job.job.state.word for job in record.jobs]
