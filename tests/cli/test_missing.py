"""Test commands on a server that is not configured: a sentence, an exit code, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Receive, Run
from webhooks.config.settings import Settings


@pytest.mark.parametrize(
    "words", [("worker",), ("webhooks", "list"), ("webhooks", "create", "SiteUpdated", "--url", "https://h")]
)
def test_a_command_that_signs_in_names_every_missing_variable(flask: Run, words: tuple[str, ...]) -> None:
    """One message names all variables that the sign-in needs and does not have; the exit code is 3."""
    result = flask(*words)
    assert result.exit_code == 3
    assert "TABLEAU_DOMAIN, TABLEAU_PAT_NAME" in result.stderr


@pytest.mark.parametrize(
    "words", [("events", "list"), ("rules", "check"), ("rules", "test", "SiteUpdated"), ("notify", "list")]
)
def test_other_commands_need_no_credentials(flask: Run, words: tuple[str, ...]) -> None:
    """Commands about events and rules work without any sign-in."""
    assert flask(*words).exit_code == 0


@pytest.mark.parametrize("words", [("events", "explain", "1"), ("events", "list")])
def test_an_invalid_rules_file_does_not_hide_events(
    flask: Run, receive: Receive, rules_file: Path, words: tuple[str, ...]
) -> None:
    """Received events can be listed and explained with an invalid rules file."""
    receive()
    rules_file.write_text("nonsense", encoding="utf-8")
    assert flask(*words).exit_code == 0


@pytest.mark.parametrize("url", ["mysql://h/x", "sqlite:////proc/nowhere/inbox.sqlite3"])
def test_an_inbox_that_cannot_be_opened_is_reported(
    monkeypatch: pytest.MonkeyPatch, flask: Run, settings: Settings, url: str
) -> None:
    """An invalid DATABASE_URL ends the command with a sentence and exit code 3."""
    monkeypatch.setitem(settings.__dict__, "database_url", type(settings.database_url)(url))
    result = flask("events", "list")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "inbox" in result.stderr
