"""sites.toml: parsed as a whole, all errors at once, secrets from three sources and shown nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from webhooks.app import create_app
from webhooks.config.settings import Settings

VALID = """
[[site]]
name = "Marketing"
domain = "10ax.online.tableau.com"
sitename = "marketing"
pat_name = "webhooks"
pat_secret_env = "MARKETING_PAT_SECRET"

[[site]]
name = "Finance"
domain = "http://tableau.example.org"
auth = "password"
username = "webhooks"
password_file = "finance.txt"
site_luid = "6B7A3F8E-5D6D-4C8C-9B0B-A1A2A3A4A5A6"
"""
ReadSites = Callable[[str], Settings]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadSites:
    """Return a function that reads settings with a text as sites.toml."""
    monkeypatch.setenv("MARKETING_PAT_SECRET", "marketing-secret")
    (tmp_path / "finance.txt").write_text("finance-secret\n")

    def read(text: str) -> Settings:
        (tmp_path / "sites.toml").write_text(text, encoding="utf-8")
        database = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
        return Settings.read(_env_file=None, sites_file=tmp_path / "sites.toml", database_url=database)

    return read


def errors(settings: Settings) -> str:
    with pytest.raises(RuntimeError) as raised:
        settings.require_tableau()
    return str(raised.value)


def test_secrets_are_read_from_all_sources(read: ReadSites) -> None:
    """From a variable by its name, and from a file beside sites.toml; the other keys are those of the variables."""
    settings = read(VALID)
    settings.require_tableau()
    marketing, finance = settings.sites()
    assert (marketing.name, marketing.domain, marketing.site_luid) == (
        "Marketing",
        "https://10ax.online.tableau.com",
        "",
    )
    assert marketing.credential().secret == "marketing-secret"
    assert finance.credential().secret == "finance-secret"
    assert finance.site_luid == "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"


def test_variable_of_a_secret_may_be_in_the_env_file(
    read: ReadSites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is literal there, like the settings; the environment overrides it."""
    (tmp_path / ".env").write_text("MARKETING_PAT_SECRET=ignored\nFINANCE_PASSWORD=pa${ss}wd\n")
    monkeypatch.setattr("webhooks.config.environment.ENV_FILE", tmp_path / ".env")
    settings = read(VALID.replace('password_file = "finance.txt"', 'password_env = " FINANCE_PASSWORD "'))
    assert [site.credential().secret for site in settings.sites()] == ["marketing-secret", "pa${ss}wd"]


def test_secrets_are_known_for_redaction_and_shown_nowhere(read: ReadSites) -> None:
    """This includes those of a site with an error."""
    settings = read(VALID.replace('"webhooks"\npassword', '""\npassword'))
    assert {"marketing-secret", "finance-secret"} <= set(settings.secrets())
    assert "-secret'" not in repr(settings.sites())
    assert "finance-secret" not in errors(settings)


def test_all_errors_are_in_one_message(read: ReadSites) -> None:
    """Unknown keys, missing keys, missing variables and files, and secrets from two sources."""
    found = errors(
        read("""
[[site]]
nme = "A"
domain = "a.example/#/site/x"
[[site]]
name = "B"
domain = "b.example"
sitename = "https://b.example/#/site/b"
pat_name = "b"
pat_secret_env = "NOT_SET_ANYWHERE"
[[site]]
name = "C"
domain = "c.example"
auth = "password"
username = "c"
password = "one"
password_file = "two"
[[site]]
name = "D"
domain = "d.example"
auth = "jwt"
site_luid = "no luid"
[[site]]
name = "E"
domain = "e.example"
pat_name = "e"
pat_secret_file = "nowhere.txt"
[[site]]
name = "F"
domain = "f.example"
pat_name = "f"
pat_secret = 7
""")
    )
    for text in (
        "site 1: nme is not known; did you mean name?",
        "site 1: domain: write only https://a.example, and sitename=x",
        'site 2 "B": pat_secret_env: the variable NOT_SET_ANYWHERE is not set',
        'site 2 "B": sitename: write only b',
        'site 3 "C": password and password_file are both given; one is enough',
        'site 4 "D": site_luid: not a LUID',
        'site 5 "E": pat_secret_file: cannot read',
        'site 6 "F": pat_secret should be text in quotes',
    ):
        assert text in found
    assert "'one'" not in found


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"a\nb", "contains 2 lines"), (b"\xff", "is not UTF-8"), ("a\u200b1".encode(), "U+200B")],
)
def test_unusable_secret_file_is_an_error(content: bytes, problem: str, read: ReadSites, tmp_path: Path) -> None:
    """The message names the key and the file."""
    (tmp_path / "other.txt").write_bytes(content)
    found = errors(read(VALID.replace("finance.txt", "other.txt")))
    assert f'site 2 "Finance": password_file: the file {tmp_path / "other.txt"} ' in found
    assert problem in found


@pytest.mark.parametrize(
    ("written", "replaced", "error"),
    [
        (
            '"Marketing"',
            '"Mark\u200beting"',
            "name contains an invisible character at position 5: U+200B, zero width space",
        ),
        ('"marketing"', '"marketing\\u0007"', "sitename contains an invisible character at position 10: U+0007"),
        (
            '"webhooks"',
            '"web\u00adhooks"',
            "pat_name contains an invisible character at position 4: U+00AD, soft hyphen",
        ),
    ],
)
def test_invisible_character_is_an_error(read: ReadSites, written: str, replaced: str, error: str) -> None:
    """A name with one never matches what people type; the character is named."""
    assert error in errors(read(VALID.replace(written, replaced, 1)))


def test_keys_that_the_sign_in_needs_are_named(read: ReadSites) -> None:
    """The message uses the names that the file has for them."""
    found = errors(read('[[site]]\ndomain = "d.example"\nauth = "jwt"\n'))
    assert "needs name, username, ca_client, ca_secret_id, ca_secret_value (auth = 'jwt')" in found


def test_sites_must_be_distinct(read: ReadSites) -> None:
    """In their name, address and token: a token has one session."""
    site = '[[site]]\nname = "A"\ndomain = "a.example"\nsitename = "{}"\npat_name = "p"\npat_secret = "s3cr3t"\n'
    found = errors(read(site.format("x") + site.format("x")))
    assert "2 sites are named A" in found
    assert "are the same site" in found
    assert "use one token" in errors(read(site.format("x") + site.format("y").replace('"A"', '"B"')))


@pytest.mark.parametrize("text", ["", "[site]\nname = 'A'", "site = 1", "[[sites]]\nname = 'A'", "name ="])
def test_file_without_sites_is_an_error(read: ReadSites, text: str) -> None:
    """So is a file that is not TOML."""
    assert "error" in errors(read(text))


def test_server_does_not_start_with_an_error(read: ReadSites, tmp_path: Path) -> None:
    """Nor if the file does not exist."""
    with pytest.raises(RuntimeError, match="the variable NOPE is not set"):
        create_app(read(VALID.replace("MARKETING_PAT_SECRET", "NOPE")))
    gone = Settings.read(_env_file=None, sites_file=tmp_path / "gone.toml")
    assert "gone.toml has 1 error" in errors(gone)


def test_without_the_file_there_is_the_site_of_the_variables() -> None:
    """It has no name, so that messages do not name it."""
    settings = Settings.read(
        _env_file=None, tableau_domain="http://127.0.0.1:9", tableau_pat_name="p", tableau_pat_secret="by-variable"
    )
    (site,) = settings.sites()
    assert (site.name, site.domain, site.credential().secret) == ("", "http://127.0.0.1:9", "by-variable")
