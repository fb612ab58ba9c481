"""Settings: read once, strictly, with one message for everything that is invalid or missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import certificates
from webhooks.app import create_app
from webhooks.config.settings import REQUIRED, ROOT, Settings, doubtful_variables, web_concurrency


@pytest.mark.parametrize("auth", REQUIRED)
def test_missing_variables_are_named_in_one_error(auth: str) -> None:
    """Empty variables are missing, and only those that the sign-in needs are required."""
    settings = Settings.read(_env_file=None, tableau_auth=auth, tableau_domain=" ")
    with pytest.raises(RuntimeError) as raised:
        settings.require_tableau()
    for name in REQUIRED[auth]:
        assert name.upper() in str(raised.value)


def test_server_does_not_start_without_credentials(tmp_path: Path) -> None:
    """The error is reported at start, not with the first event."""
    with pytest.raises(RuntimeError, match="TABLEAU_PAT_NAME, TABLEAU_PAT_SECRET"):
        create_app(Settings.read(_env_file=None, tableau_domain="x", database_url=f"sqlite:///{tmp_path}/i"))


def test_other_names_of_the_token_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """TS_PAT_NAME and TS_PAT_SECRET are the same settings."""
    monkeypatch.setenv("TS_PAT_NAME", "n")
    monkeypatch.setenv("TS_PAT_SECRET", "s")
    settings = Settings.read(_env_file=None)
    assert (settings.tableau_pat_name, settings.tableau_pat_secret.get_secret_value()) == ("n", "s")


def test_names_may_be_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """The case of a variable's name does not matter."""
    monkeypatch.setenv("slack_channel", "#bi")
    assert Settings.read(_env_file=None).slack_channel == "#bi"


def test_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty variable of the environment does not hide the one in the env file."""
    (tmp_path / ".env").write_text("PORT=8001\nSLACK_CHANNEL=#bi\nTWILIO_TO=\n")
    monkeypatch.setenv("PORT", " ")
    monkeypatch.setenv("SLACK_CHANNEL", "")
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert (settings.port, settings.slack_channel, settings.twilio_to) == (8001, "#bi", "")
    assert "twilio_to" not in settings.model_fields_set


def test_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NAME_FILE names the file; the line end is not part of the secret."""
    (tmp_path / "s").write_text("xoxb-from-file\n")
    monkeypatch.setenv("SLACK_TOKEN_FILE", str(tmp_path / "s"))
    assert Settings.read(_env_file=None).slack_token.get_secret_value() == "xoxb-from-file"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe\x00", "is not UTF-16"),
        (b"", "is empty"),
        ("a\u200bb".encode(), "U+200B"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_unusable_secret_file_is_refused(
    content: bytes | None, problem: str, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error names the variable and the file; a secret that was silently empty would fail job by job."""
    path = tmp_path / "s"
    if content is not None:
        path.write_bytes(content)
    if place == "environment":
        monkeypatch.setenv("SLACK_TOKEN_FILE", str(path))
    else:
        (tmp_path / ".env").write_text(f"SLACK_TOKEN_FILE={path}")
    with pytest.raises(RuntimeError) as raised:
        Settings.read(_env_file=tmp_path / ".env")
    assert f"SLACK_TOKEN: SLACK_TOKEN_FILE names {path}, which" in str(raised.value)
    assert problem in str(raised.value)


def test_env_file_may_name_secret_files(tmp_path: Path) -> None:
    """`.env` may contain NAME_FILE, as example-env promises; so may both names of the token."""
    (tmp_path / "s").write_text("from-file\n")
    (tmp_path / ".env").write_text(f"SLACK_TOKEN_FILE={tmp_path / 's'}\nTS_PAT_SECRET_FILE={tmp_path / 's'}\n")
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert settings.slack_token.get_secret_value() == "from-file"
    assert settings.tableau_pat_secret.get_secret_value() == "from-file"


def test_environment_overrides_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment is read first, then `.env`; in each of them a variable overrides its file."""
    (tmp_path / "s").write_text("from-file")
    (tmp_path / "e").write_text("from-environments-file")
    lines = [
        f"SLACK_TOKEN_FILE={tmp_path / 's'}",
        "TWILIO_AUTH_TOKEN=dot",
        f"TABLEAU_PAT_SECRET_FILE={tmp_path / 's'}",
        "TABLEAU_PAT_SECRET=dot",
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    monkeypatch.setenv("SLACK_TOKEN_FILE", str(tmp_path / "e"))
    monkeypatch.setenv("TWILIO_AUTH_TOKEN_FILE", str(tmp_path / "e"))
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert settings.slack_token.get_secret_value() == "from-environments-file"
    assert settings.twilio_auth_token.get_secret_value() == "from-environments-file"
    assert settings.tableau_pat_secret.get_secret_value() == "dot"


def test_secrets_are_literal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No part of a secret is taken for a variable, neither from the env file nor from the environment."""
    (tmp_path / ".env").write_text("TABLEAU_PASSWORD='pa${ss}wd'\nTWILIO_AUTH_TOKEN=a${x}b\nSLACK_TOKEN=a${x:-y}b\n")
    monkeypatch.setenv("WEBHOOK_TOKEN", "a${x}b")
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert settings.tableau_password.get_secret_value() == "pa${ss}wd"
    assert settings.twilio_auth_token.get_secret_value() == "a${x}b"
    assert settings.slack_token.get_secret_value() == "a${x:-y}b"
    assert settings.webhook_token.get_secret_value() == "a${x}b"


TEXT_VARIABLES = [name.upper() for name, field in Settings.model_fields.items() if name not in {"sites_file"}]


@pytest.mark.parametrize("name", ["SLACK_API_URL", "TWILIO_API_URL"])
@pytest.mark.parametrize("url", ["ftp://x", "x", "https://", "https:///api", "file:///etc/passwd", "http://a b/"])
def test_address_of_an_api_that_cannot_be_called_is_refused(
    name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does not start, instead of dead-lettering every message."""
    monkeypatch.setenv(name, url)
    with pytest.raises(RuntimeError, match=f"{name}: '.*' is not an address; write one that begins with https://"):
        Settings.read(_env_file=None)


@pytest.mark.parametrize("name", TEXT_VARIABLES)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"s3cret"', "is in quotation marks; remove them, because docker --env-file does not"),
        ("'s3cret'", "is in quotation marks; remove them, because docker --env-file does not"),
        ("\u201cs3cret\u201d", "is in typographic quotation marks; remove them"),
        ("\u2018s3cret\u2019", "is in typographic quotation marks; remove them"),
        ("s3cret # a comment", "is followed by a comment; remove it, because docker --env-file does not"),
        ("s3\u200bcret", "contains an invisible character at position 3: U+200B"),
        ("{name}=s3cret", "begins with the name of the variable once more; write only the value"),
    ],
)
def test_values_as_docker_passes_them_on_are_refused(
    name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker run --env-file` leaves quotation marks and comments in the value; the value is not shown."""
    monkeypatch.setenv(name, value.format(name=name))
    with pytest.raises(RuntimeError) as raised:
        Settings.read(_env_file=None)
    assert f"{name}: {problem}" in str(raised.value)
    assert "s3" not in str(raised.value)


def test_quoted_values_of_the_env_file_are_accepted(tmp_path: Path) -> None:
    """The env file has quotation marks for values that would be refused in the environment."""
    (tmp_path / ".env").write_text("TABLEAU_PASSWORD='\"a # b\"'\n")
    settings = Settings.read(_env_file=tmp_path / ".env")
    assert settings.tableau_password.get_secret_value() == '"a # b"'


def test_secrets_are_never_shown(settings: Settings) -> None:
    """They are neither in repr nor in str."""
    assert "pat-secret" not in repr(settings) + str(settings)
    assert "token-of" not in repr(settings) + str(settings)


def test_token_in_the_webhook_url_is_never_shown() -> None:
    """WEBHOOK_URL may contain a path, and the token in it."""
    settings = Settings.read(_env_file=None, webhook_url="https://h/webhook/t0ken-of-the-url")
    assert "t0ken-of-the-url" not in repr(settings) + str(settings)


def test_settings_are_frozen(settings: Settings) -> None:
    """No part of the program can change them for another."""
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10ax.online.tableau.com", "https://10ax.online.tableau.com"),
        ("http://127.0.0.1:8100/", "http://127.0.0.1:8100"),
        ("", ""),
    ],
)
def test_domain_is_https_unless_a_scheme_is_given(text: str, expected: str) -> None:
    """A path of / is removed."""
    assert Settings.read(_env_file=None, tableau_domain=text).tableau_domain == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("https://10ax.online.tableau.com/#/site/acme/home", r"write only https://10ax.*TABLEAU_SITENAME=acme$"),
        ("10ax.online.tableau.com/#/site/acme", r"TABLEAU_SITENAME=acme$"),
        ("https://tableau.example.com/t/acme/views", r"TABLEAU_SITENAME=acme$"),
        ("https://tableau.example.com/api", r"write only https://tableau.example.com$"),
        ("ftp://tableau.example.com", r"write the host"),
        ("https://", r"write the host"),
        ("https://h:many", r"TABLEAU_DOMAIN"),
        ("https:/tableau.example.com", r"write the host"),
        ("https//tableau.example.com", r"write the host"),
        ("https://https://tableau.example.com", r"write the host"),
        ("2001:db8::1", r"in brackets: \[2001:db8::1\]"),
    ],
)
def test_invalid_domain_is_refused_at_start(text: str, problem: str) -> None:
    """The message says what to write; otherwise every job would fail because of it."""
    with pytest.raises(RuntimeError, match=problem) as raised:
        Settings.read(_env_file=None, tableau_domain=text)
    assert "TABLEAU_DOMAIN" in str(raised.value)


@pytest.mark.parametrize("text", ["https://u:s3kret@h", "u:s3kret@h", "https://u:s3kret/x@h"])
def test_password_in_the_domain_is_refused_and_not_shown(text: str) -> None:
    """It would be in every log line that names the server."""
    with pytest.raises(RuntimeError, match=r"TABLEAU_DOMAIN.*password") as raised:
        Settings.read(_env_file=None, tableau_domain=text)
    assert "s3kret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "finance", "Finance-2_b"])
def test_content_url_is_accepted(text: str) -> None:
    """Letters, digits, hyphens and underscores, as Tableau allows them; empty for the default site."""
    assert Settings.read(_env_file=None, tableau_sitename=text).tableau_sitename == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Default", "leave it empty for the default site; 'Default' is only its name"),
        ("default", "leave it empty for the default site"),
        ("#/site/Finance", "write only Finance"),
        ("/site/Finance/home", "write only Finance"),
        ("https://10ax.online.tableau.com/#/site/Finance", "write only Finance"),
        ("https://10ax.online.tableau.com/#/site/Finance/explore?x=1", "write only Finance"),
        ("https://tableau.example.com/t/Finance/views/a/b", "write only Finance"),
        ("https://tableau.example.com/#/home", "the address names no site; leave it empty for the default site"),
        ("Finance Team", "'Finance Team' is not a content URL; copy what follows /site/ in the address"),
        ("#Finance", "'#Finance' is not a content URL"),
    ],
)
def test_invalid_site_name_is_refused_at_start(text: str, problem: str) -> None:
    """Tableau's response to a wrong site looks like a wrong token, so the site is validated first."""
    with pytest.raises(RuntimeError, match="TABLEAU_SITENAME: ") as raised:
        Settings.read(_env_file=None, tableau_sitename=text)
    assert problem in str(raised.value)


@pytest.mark.parametrize("text", ["latest", "3", "v3.24", "3.999"])
def test_invalid_version_is_refused_at_start(text: str) -> None:
    """A version consists of two numbers and is one of Tableau's."""
    with pytest.raises(RuntimeError, match="TABLEAU_RESTAPI_VERSION"):
        Settings.read(_env_file=None, tableau_restapi_version=text)


def test_known_version_is_accepted() -> None:
    """It is written as Tableau writes it."""
    assert Settings.read(_env_file=None, tableau_restapi_version="3.24").tableau_restapi_version == "3.24"


def test_all_errors_are_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid values, an unreadable file and quotation marks are reported together."""
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("TABLEAU_AUTH", "magic")
    monkeypatch.setenv("WEBHOOK_TOKEN", '"t"')
    monkeypatch.setenv("SLACK_TOKEN_FILE", "/nowhere/s")
    with pytest.raises(RuntimeError) as raised:
        Settings.read(_env_file=None)
    for part in ("PORT: should be a whole number", "TABLEAU_AUTH: ", "WEBHOOK_TOKEN: ", "SLACK_TOKEN: "):
        assert part in str(raised.value)


@pytest.mark.parametrize("name", ["RULES_FILE", "SITES_FILE"])
def test_relative_paths_are_below_the_root(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder in which a command is started does not matter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "conf/some.toml")
    assert getattr(Settings.read(_env_file=None), name.lower()) == ROOT / "conf" / "some.toml"


def test_relative_secret_file_is_below_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So are the files that NAME_FILE names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_TOKEN_FILE", "conf/token")
    with pytest.raises(RuntimeError, match=rf"SLACK_TOKEN_FILE names {ROOT}/conf/token, which cannot be read"):
        Settings.read(_env_file=None)


@pytest.mark.parametrize(("text", "expected"), [("", 2), ("3", 3), (" 4 ", 4)])
def test_number_of_processes(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    """The default is two."""
    monkeypatch.setenv("WEB_CONCURRENCY", text)
    assert web_concurrency() == expected


@pytest.mark.parametrize("text", ["abc", "two", "0", "-1", "1.5", "9999"])
def test_invalid_number_of_processes_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The message names the variable."""
    monkeypatch.setenv("WEB_CONCURRENCY", text)
    with pytest.raises(RuntimeError, match="WEB_CONCURRENCY"):
        web_concurrency()


def test_ca_bundle_is_read_at_start(tmp_path: Path) -> None:
    """A wrong file is refused at start, not by every connection; a relative path is below the root."""
    with pytest.raises(RuntimeError, match=r"CA_BUNDLE: cannot read .*/conf/ca\.pem: No such file or directory"):
        Settings.read(_env_file=None, ca_bundle="conf/ca.pem")
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(RuntimeError, match=r"CA_BUNDLE: .*ca\.pem contains no certificates in PEM format"):
        Settings.read(_env_file=None, ca_bundle=tmp_path / "ca.pem")
    root = certificates.issue(tmp_path).root
    assert Settings.read(_env_file=None, ca_bundle=root).ca_bundle == root


def test_time_zone_is_known() -> None:
    """The default is UTC; a misspelt name is refused at start with a suggestion."""
    assert Settings.read(_env_file=None).zone.key == "UTC"
    assert Settings.read(_env_file=None, timezone="Europe/Berlin").zone.key == "Europe/Berlin"
    with pytest.raises(
        RuntimeError, match=r"TIMEZONE: 'europe/berlin' is not a time zone; did you mean Europe/Berlin\?"
    ):
        Settings.read(_env_file=None, timezone="europe/berlin")
    for name in ("Europe", "../etc/passwd", "/etc/localtime"):
        with pytest.raises(RuntimeError, match=f"TIMEZONE: '{name}' is not a time zone"):
            Settings.read(_env_file=None, timezone=name)
    with pytest.raises(RuntimeError, match=r"TIMEZONE: 'CEST \+2' is not a time zone; write a name such as Europe/"):
        Settings.read(_env_file=None, timezone="CEST +2")


@pytest.mark.parametrize("text", ["new,old", "new, old", " new ,, old ,"])
def test_blanks_around_tokens_are_ignored(text: str) -> None:
    """People write `new, old`."""
    assert Settings.read(_env_file=None, webhook_token=text).webhook_tokens() == ["new", "old"]


def test_misspelt_variable_of_the_env_file_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelt WEBHOOK_TOKEN would leave the server open; variables of other programs are accepted."""
    (tmp_path / ".env").write_text(
        "WEBHOK_TOKEN=t\nPORT=8001\nHTTPS_PROXY=http://p\nTS_PAT_NAME=n\nSLACK_TOKEN_FILE=f\n"
    )
    monkeypatch.setattr("webhooks.config.environment.ENV_FILE", tmp_path / ".env")
    assert doubtful_variables() == ["WEBHOK_TOKEN in .env is not a setting; did you mean WEBHOOK_TOKEN?"]


def test_variable_with_several_values_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last one counts, in any case of the name, but an empty line of a template does not remove a token."""
    (tmp_path / ".env").write_text("WEBHOOK_TOKEN=s3cret\nPORT=1\nPORT=1\nwebhook_token=t2\nWEBHOOK_TOKEN=\n")
    monkeypatch.setattr("webhooks.config.environment.ENV_FILE", tmp_path / ".env")
    assert doubtful_variables() == [".env: WEBHOOK_TOKEN is set 2 times, to different values; line 4 counts"]
    assert Settings.read().webhook_tokens() == ["t2"]
