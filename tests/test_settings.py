"""Settings: read once, strict, with one message for all that is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhooks.app import create_app
from webhooks.settings import NEEDED, Settings


@pytest.mark.parametrize("auth", NEEDED)
def test_missing_variables_are_named_in_one_error(auth: str) -> None:
    """Empty counts as missing, and only what the chosen sign-in uses is asked for."""
    settings = Settings.read(_env_file=None, tableau_auth=auth, tableau_domain=" ")
    with pytest.raises(RuntimeError) as raised:
        settings.require_tableau()
    for name in NEEDED[auth]:
        assert name.upper() in str(raised.value)


def test_server_does_not_start_without_credentials(tmp_path: Path) -> None:
    """At start, not at the first event."""
    with pytest.raises(RuntimeError, match="TABLEAU_PAT_NAME, TABLEAU_PAT_SECRET"):
        create_app(Settings.read(_env_file=None, tableau_domain="x", database_url=f"sqlite:///{tmp_path}/i"))


def test_other_names_of_the_pat(monkeypatch: pytest.MonkeyPatch) -> None:
    """TS_PAT_NAME and TS_PAT_SECRET are the same variables."""
    monkeypatch.setenv("TS_PAT_NAME", "n")
    monkeypatch.setenv("TS_PAT_SECRET", "s")
    settings = Settings.read(_env_file=None)
    assert (settings.tableau_pat_name, settings.tableau_pat_secret.get_secret_value()) == ("n", "s")


def test_secret_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NAME_FILE, without the line's end."""
    (tmp_path / "s").write_text("xoxb-from-file\n")
    monkeypatch.setenv("SLACK_TOKEN_FILE", str(tmp_path / "s"))
    assert Settings.read(_env_file=None).slack_token.get_secret_value() == "xoxb-from-file"


def test_missing_secret_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and the file."""
    monkeypatch.setenv("SLACK_TOKEN_FILE", "/nowhere/s")
    with pytest.raises(RuntimeError, match=r"SLACK_TOKEN_FILE.*/nowhere/s"):
        Settings.read(_env_file=None)


def test_secrets_never_show(settings: Settings) -> None:
    """Not in repr, not in str."""
    assert "pat-secret" not in repr(settings) + str(settings)
    assert "token-of" not in repr(settings) + str(settings)


def test_settings_are_frozen(settings: Settings) -> None:
    """Nobody changes them behind another's back."""
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_database_url_forms(given: str, expected: str) -> None:
    """Heroku's form is accepted."""
    assert Settings.read(_env_file=None, database_url=given).database_url.get_secret_value() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("10ax.online.tableau.com", "https://10ax.online.tableau.com"),
        ("http://127.0.0.1:8100/", "http://127.0.0.1:8100"),
        ("", ""),
    ],
)
def test_domain_is_https_unless_it_says_otherwise(given: str, expected: str) -> None:
    """A scheme may be given; without one it is https."""
    assert Settings.read(_env_file=None, tableau_domain=given).tableau_domain == expected


def test_every_fault_is_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong variables, one error."""
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("TABLEAU_AUTH", "magic")
    with pytest.raises(RuntimeError) as raised:
        Settings.read(_env_file=None)
    assert "PORT" in str(raised.value)
    assert "TABLEAU_AUTH" in str(raised.value)
