"""Settings: read once, strict, with one message for all that is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhooks.app import create_app
from webhooks.config.settings import REQUIRED, Settings, web_concurrency
from webhooks.inbox import Inbox


@pytest.mark.parametrize("auth", REQUIRED)
def test_missing_variables_are_named_in_one_error(auth: str) -> None:
    """Empty counts as missing, and only what the chosen sign-in uses is asked for."""
    settings = Settings.read(_env_file=None, tableau_auth=auth, tableau_domain=" ")
    with pytest.raises(RuntimeError) as raised:
        settings.require_tableau()
    for name in REQUIRED[auth]:
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


def test_secret_from_a_file_that_dotenv_names(tmp_path: Path) -> None:
    """`.env` may say NAME_FILE, as example-env promises; both names of the token do."""
    (tmp_path / "s").write_text("from-file\n")
    (tmp_path / ".env").write_text(f"SLACK_TOKEN_FILE={tmp_path / 's'}\nTS_PAT_SECRET_FILE={tmp_path / 's'}\n")
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert settings.slack_token.get_secret_value() == "from-file"
    assert settings.tableau_pat_secret.get_secret_value() == "from-file"


def test_environment_goes_before_a_file_that_dotenv_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment first, then `.env`; in each of them the variable itself, then its file."""
    (tmp_path / "s").write_text("from-file")
    (tmp_path / "e").write_text("from-environments-file")
    names = [
        f"SLACK_TOKEN_FILE={tmp_path / 's'}",
        f"TABLEAU_PAT_SECRET_FILE={tmp_path / 's'}",
        "TABLEAU_PAT_SECRET=dot",
    ]
    (tmp_path / ".env").write_text("\n".join(names))
    monkeypatch.setenv("SLACK_TOKEN_FILE", str(tmp_path / "e"))
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert settings.slack_token.get_secret_value() == "from-environments-file"
    assert settings.tableau_pat_secret.get_secret_value() == "dot"


def test_missing_secret_file_that_dotenv_names_is_told(tmp_path: Path) -> None:
    """A secret that is silently empty would be found job by job."""
    (tmp_path / ".env").write_text("SLACK_TOKEN_FILE=/nowhere/s")
    with pytest.raises(RuntimeError, match=r"SLACK_TOKEN_FILE.*/nowhere/s"):
        Settings.read(_env_file=tmp_path / ".env")


def test_secret_file_that_is_not_utf8_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence that names the file, and no traceback."""
    (tmp_path / "s").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("SLACK_TOKEN_FILE", str(tmp_path / "s"))
    with pytest.raises(RuntimeError, match=r"SLACK_TOKEN_FILE.*UTF-8"):
        Settings.read(_env_file=None)


def test_dotenv_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """The same for `.env` itself."""
    (tmp_path / ".env").write_bytes(b"SLACK_CHANNEL=\xff")
    with pytest.raises(RuntimeError, match="UTF-8"):
        Settings.read(_env_file=tmp_path / ".env")


@pytest.mark.parametrize(("given", "expected"), [("", 2), ("3", 3), (" 4 ", 4)])
def test_number_of_processes(monkeypatch: pytest.MonkeyPatch, given: str, expected: int) -> None:
    """Two where nobody says otherwise."""
    monkeypatch.setenv("WEB_CONCURRENCY", given)
    assert web_concurrency() == expected


@pytest.mark.parametrize("given", ["abc", "0", "-1", "1.5", "9999"])
def test_wrong_number_of_processes_is_told(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """The message names the variable."""
    monkeypatch.setenv("WEB_CONCURRENCY", given)
    with pytest.raises(RuntimeError, match="WEB_CONCURRENCY"):
        web_concurrency()


@pytest.mark.parametrize("given", ["new,old", "new, old", " new ,, old ,"])
def test_blanks_around_a_token_do_not_count(given: str) -> None:
    """`new, old` is how people write two things."""
    assert Settings.read(_env_file=None, webhook_token=given).webhook_tokens() == ["new", "old"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://10ax.online.tableau.com/#/site/acme/home", r"write only https://10ax.*TABLEAU_SITENAME=acme$"),
        ("10ax.online.tableau.com/#/site/acme", r"TABLEAU_SITENAME=acme$"),
        ("https://tableau.example.com/t/acme/views", r"TABLEAU_SITENAME=acme$"),
        ("https://tableau.example.com/api", r"write only https://tableau.example.com$"),
        ("ftp://tableau.example.com", r"write the host"),
        ("https://", r"write the host"),
        ("https://h:many", r"TABLEAU_DOMAIN"),
    ],
)
def test_wrong_domain_is_told_at_start(given: str, said: str) -> None:
    """And not by every job that dies of it; the message says what to write."""
    with pytest.raises(RuntimeError, match=said) as raised:
        Settings.read(_env_file=None, tableau_domain=given)
    assert "TABLEAU_DOMAIN" in str(raised.value)


@pytest.mark.parametrize("given", ["https://u:s3kret@h", "u:s3kret@h", "https://u:s3kret/x@h"])
def test_password_in_the_domain_is_refused_and_not_shown(given: str) -> None:
    """It would stand in each line that names the server."""
    with pytest.raises(RuntimeError, match=r"TABLEAU_DOMAIN.*password") as raised:
        Settings.read(_env_file=None, tableau_domain=given)
    assert "s3kret" not in str(raised.value)


@pytest.mark.parametrize("given", ["latest", "3", "v3.24", "3.999"])
def test_wrong_version_is_told_at_start(given: str) -> None:
    """A version is two numbers of Tableau's."""
    with pytest.raises(RuntimeError, match="TABLEAU_RESTAPI_VERSION"):
        Settings.read(_env_file=None, tableau_restapi_version=given)


def test_known_version_is_taken() -> None:
    """As Tableau writes it."""
    assert Settings.read(_env_file=None, tableau_restapi_version="3.24").tableau_restapi_version == "3.24"


@pytest.mark.parametrize(
    "given",
    ["nonsense-s3kret", "mysql://u:s3kret@h/d", "postgresql+asyncpg://u:s3kret@h/d", "sqlite://", "sqlite:///:memory:"],
)
def test_database_that_cannot_be_is_told_at_start(given: str) -> None:
    """Also where no worker of this process would open it; the password is not shown."""
    with pytest.raises(RuntimeError, match="DATABASE_URL") as raised:
        Settings.read(_env_file=None, database_url=given)
    assert "s3kret" not in str(raised.value)


@pytest.mark.parametrize("given", ["nonsense-s3kret", "postgresql+psycopg://u:s3kret@h:port/d"])
def test_inbox_at_no_address_is_an_error_of_ours(given: str) -> None:
    """A command that takes an address from its user can say so in a sentence."""
    with pytest.raises(RuntimeError, match="DATABASE_URL") as raised:
        Inbox.open(given)
    assert "s3kret" not in str(raised.value)


def test_token_in_our_address_never_shows() -> None:
    """WEBHOOK_URL may have a path, and that the token."""
    settings = Settings.read(_env_file=None, webhook_url="https://h/webhook/t0ken-of-the-url")
    assert "t0ken-of-the-url" not in repr(settings) + str(settings)
