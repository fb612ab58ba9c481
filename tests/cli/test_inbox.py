"""Test `flask inbox vacuum` and `flask inbox move`, and that commands do not create an inbox."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.postgres import Server
from tests.cli.conftest import Run
from tests.support.databases import opened, postgres_server, some_event
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox

__all__ = ["opened", "postgres_server"]

DAY = 86400.0


@pytest.fixture
def filled(inbox: Inbox, settings: Settings, opened: Callable[..., Inbox]) -> Inbox:
    """Return the application's inbox with five old events and a new one."""
    old = opened(settings.database_url.get_secret_value(), clock=lambda: time.time() - 100 * DAY)
    for number in range(5):
        old.events.receive(some_event(number))
    old.events.plan(lambda _: [])
    inbox.events.receive(some_event(6))
    return inbox


def test_vacuum_deletes_expired_events(flask: Run, filled: Inbox) -> None:
    """Without options RETENTION_DAYS decides; the size before and after is printed."""
    result = flask("inbox", "vacuum")
    assert (result.exit_code, len(filled.events.list())) == (0, 1)
    assert "Deleted 5 events older than 90 days. The inbox uses" in result.output


@pytest.mark.parametrize("days", ["200", "0"])
def test_vacuum_days_override_the_setting(flask: Run, filled: Inbox, days: str) -> None:
    """`--days` overrides RETENTION_DAYS; 0 deletes nothing."""
    assert flask("inbox", "vacuum", "--days", days).exit_code == 0
    assert len(filled.events.list()) == 6


@pytest.mark.postgres
def test_move_counts_rows_and_names_the_next_step(
    flask: Run, filled: Inbox, postgres_server: Server, opened: Callable[..., Inbox]
) -> None:
    """Each row is counted, and the next step is printed."""
    url = postgres_server.url()
    result = flask("inbox", "move", "--to", url)
    assert result.exit_code == 0, result.output
    assert "events: 6 of 6" in result.output
    assert "Copied: 6 events" in result.output
    assert "Set DATABASE_URL" in result.output
    assert opened(url).events.list() == filled.events.list()


def test_move_to_itself_is_refused(flask: Run, filled: Inbox, settings: Settings) -> None:
    """The inbox cannot be moved to its own database."""
    result = flask("inbox", "move", "--to", settings.database_url.get_secret_value())
    assert result.exit_code == 1
    assert "already in that database" in result.output


@pytest.mark.parametrize("target", ["nonsense", "mysql://u:s3kret@h/d", "sqlite://"])
def test_move_to_an_invalid_address_is_refused(flask: Run, filled: Inbox, target: str) -> None:
    """An invalid address is a usage error of the option, without its password."""
    result = flask("inbox", "move", "--to", target)
    assert result.exit_code == 2
    assert "Invalid value for --to: " in result.output
    assert "DATABASE_URL" not in result.output
    assert "s3kret" not in result.output


def test_move_to_an_unavailable_database_is_reported(flask: Run, filled: Inbox) -> None:
    """A database that does not respond ends the command with exit code 3, and with a reason on one line."""
    result = flask("inbox", "move", "--to", "postgres://nobody@127.0.0.1:1/inbox")
    assert result.exit_code == 3
    assert "unavailable" in result.output
    assert len(result.output.splitlines()) == 1
    assert "\\t" not in result.output


def test_commands_that_only_read_create_no_inbox(flask: Run, settings: Settings) -> None:
    """Before the first start of the server `flask events list` exits with 3, and leaves no file behind."""
    file = Path(settings.database_url.get_secret_value().removeprefix("sqlite:///"))
    for made in file.parent.glob(f"{file.name}*"):
        made.unlink()
    result = flask("events", "list")
    assert result.exit_code == 3
    assert "There is no inbox yet" in result.output
    assert not file.exists()
