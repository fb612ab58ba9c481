"""Commands on a server that is not set up: a sentence, an exit code, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Receive, Run
from webhooks.config.settings import Settings


@pytest.mark.parametrize(
    "words", [("worker",), ("webhooks", "list"), ("webhooks", "create", "SiteUpdated", "--url", "https://h")]
)
def test_what_signs_in_names_every_missing_variable(flask: Run, words: tuple[str, ...]) -> None:
    """All that the chosen sign-in needs and does not have, in one message; exit code 3."""
    result = flask(*words)
    assert result.exit_code == 3
    assert "TABLEAU_DOMAIN, TABLEAU_PAT_NAME" in result.stderr


@pytest.mark.parametrize(
    "words", [("events", "list"), ("rules", "check"), ("rules", "test", "SiteUpdated"), ("notify", "list")]
)
def test_all_else_needs_no_credentials(flask: Run, words: tuple[str, ...]) -> None:
    """Looking at events and rules works without any sign-in."""
    assert flask(*words).exit_code == 0


@pytest.mark.parametrize("words", [("events", "explain", "1"), ("events", "list")])
def test_a_broken_rules_file_does_not_hide_events(
    flask: Run, receive: Receive, rules_file: Path, words: tuple[str, ...]
) -> None:
    """What came in can be looked at whatever state the rules are in."""
    receive()
    rules_file.write_text("nonsense", encoding="utf-8")
    assert flask(*words).exit_code == 0


@pytest.mark.parametrize("url", ["mysql://h/x", "sqlite:////proc/nowhere/inbox.sqlite3"])
def test_an_inbox_that_cannot_be_opened_is_told(
    monkeypatch: pytest.MonkeyPatch, flask: Run, settings: Settings, url: str
) -> None:
    """A wrong DATABASE_URL ends with 3 and a sentence."""
    monkeypatch.setitem(settings.__dict__, "database_url", type(settings.database_url)(url))
    result = flask("events", "list")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "inbox" in result.stderr
