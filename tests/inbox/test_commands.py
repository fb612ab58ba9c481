"""`flask inbox`, housekeeping, and where a SQLite inbox is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from bench.postgres import Server
from tests.support.databases import some_event
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.worker.cleanup import clean, keep_house


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application under the `flask` command, its inbox closed again after the test."""
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    return create_app(settings)


@pytest.fixture
def filled(app: Flask, settings: Settings, opened: Callable[..., Inbox]) -> Inbox:
    """The application's inbox with five old events and a new one."""
    url = settings.database_url.get_secret_value()
    old = opened(url, clock=lambda: time.time() - 100 * 86400)
    for number in range(5):
        old.events.receive(some_event(number))
    old.events.plan(lambda _: [])
    fresh = opened(url)
    fresh.events.receive(some_event(6))
    return fresh


def flask(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=list(words))
    app.extensions["webhooks"].stop()
    return result.exit_code, result.output


def test_vacuum_deletes_what_is_old(app: Flask, filled: Inbox) -> None:
    """Without options RETENTION_DAYS decides; the size before and after is told."""
    code, output = flask(app, "inbox", "vacuum")
    assert (code, len(filled.events.list())) == (0, 1)
    assert "Deleted 5 events older than 90 days. The inbox uses" in output


@pytest.mark.parametrize("days", ["200", "0"])
def test_vacuum_days_decide(app: Flask, filled: Inbox, days: str) -> None:
    """`--days` may say otherwise; 0 deletes nothing."""
    assert flask(app, "inbox", "vacuum", "--days", days)[0] == 0
    assert len(filled.events.list()) == 6


def test_housekeeping_deletes_by_itself(filled: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker cleans up without being asked, and stops at once when it has to."""
    monkeypatch.setattr("webhooks.worker.cleanup.FIRST_SECONDS", 0.05)
    stopping = threading.Event()
    thread = threading.Thread(target=keep_house, args=(filled, 90, stopping))
    thread.start()
    deadline = time.monotonic() + 10
    while len(filled.events.list()) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    stopping.set()
    thread.join(2)
    assert not thread.is_alive()
    assert len(filled.events.list()) == 1


def test_housekeeping_zero_days_keeps_all(filled: Inbox) -> None:
    """Who wants to keep everything may."""
    assert clean(filled, 0) == 0


@pytest.mark.postgres
def test_move_counts_and_says_what_is_next(
    app: Flask, filled: Inbox, postgres_server: Server, opened: Callable[..., Inbox]
) -> None:
    """Every row is counted, and nothing of the URL's password is printed."""
    url = postgres_server.url()
    code, output = flask(app, "inbox", "move", "--to", url)
    assert code == 0, output
    assert "events: 6 of 6" in output
    assert "Copied: 6 events" in output
    assert "Set DATABASE_URL" in output
    assert opened(url).events.list() == filled.events.list()


def test_move_to_itself_is_refused(app: Flask, filled: Inbox, settings: Settings) -> None:
    """The inbox cannot move to where it is."""
    code, output = flask(app, "inbox", "move", "--to", settings.database_url.get_secret_value())
    assert code == 1
    assert "already in that database" in output


@pytest.mark.parametrize("target", ["nonsense", "mysql://u:s3kret@h/d", "sqlite://"])
def test_move_to_no_database_is_a_sentence(app: Flask, filled: Inbox, target: str) -> None:
    """An address that cannot be is told as one, without its password."""
    code, output = flask(app, "inbox", "move", "--to", target)
    assert code == 1
    assert "DATABASE_URL" in output
    assert "s3kret" not in output


def test_move_to_nowhere_is_a_sentence(app: Flask, filled: Inbox) -> None:
    """A database that does not answer ends the command with what is wrong."""
    code, output = flask(app, "inbox", "move", "--to", "postgres://nobody@127.0.0.1:1/inbox")
    assert code == 3
    assert "unavailable" in output


def test_heroku_refuses_sqlite(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a dyno the server does not start with a file that the next deploy wipes, and says what to do."""
    monkeypatch.setenv("DYNO", "web.1")
    with pytest.raises(RuntimeError, match="heroku addons:create heroku-postgresql"):
        create_app(settings)


def test_heroku_accepts_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heroku's own form of the address is fine."""
    monkeypatch.setenv("DYNO", "web.1")
    Settings.read(_env_file=None, database_url="postgres://user:password@host/name").require_durable()


def test_commands_that_only_read_create_no_inbox(app: Flask, settings: Settings) -> None:
    """Before the first start of the server `flask events list` exits with 3, and leaves no file behind."""
    code, output = flask(app, "events", "list")
    assert code == 3
    assert "There is no inbox yet" in output
    assert not Path(settings.database_url.get_secret_value().removeprefix("sqlite:///")).exists()
