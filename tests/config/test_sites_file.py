"""sites.toml: read whole, every fault at once, secrets from three places and shown in none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from webhooks.app import create_app
from webhooks.config.settings import Settings

GOOD = """
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
Read = Callable[[str], Settings]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The settings with this text as sites.toml."""
    monkeypatch.setenv("MARKETING_PAT_SECRET", "marketing-secret")
    (tmp_path / "finance.txt").write_text("finance-secret\n")

    def make(text: str) -> Settings:
        (tmp_path / "sites.toml").write_text(text, encoding="utf-8")
        database = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
        return Settings.read(_env_file=None, sites_file=tmp_path / "sites.toml", database_url=database)

    return make


def faults(settings: Settings) -> str:
    with pytest.raises(RuntimeError) as raised:
        settings.require_tableau()
    return str(raised.value)


def test_sites_are_read_with_secrets_from_everywhere(read: Read) -> None:
    """A variable by its name, a file beside sites.toml; the rest as the variables have it."""
    settings = read(GOOD)
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


def test_secrets_are_known_for_redaction_and_shown_nowhere(read: Read) -> None:
    """Also that of a site with a fault."""
    settings = read(GOOD.replace('"webhooks"\npassword', '""\npassword'))
    assert {"marketing-secret", "finance-secret"} <= set(settings.secrets())
    assert "-secret'" not in repr(settings.sites())
    assert "finance-secret" not in faults(settings)


def test_every_fault_is_in_one_message(read: Read) -> None:
    """Unknown keys, missing fields, variables and files that are not there, one secret from two places."""
    said = faults(
        read("""
[[site]]
nme = "A"
domain = "a.example/#/site/x"
[[site]]
name = "B"
domain = "b.example"
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
""")
    )
    for text in (
        "site 1: nme is not known; did you mean name?",
        "site 1: domain: write only https://a.example, and sitename=x",
        'site 2 "B": pat_secret_env: the variable NOT_SET_ANYWHERE is not set',
        'site 3 "C": password and password_file: one is enough',
        'site 4 "D": site_luid: not a LUID',
    ):
        assert text in said
    assert "'one'" not in said


def test_what_the_sign_in_needs_is_named(read: Read) -> None:
    """By the file's own words."""
    said = faults(read('[[site]]\ndomain = "d.example"\nauth = "jwt"\n'))
    assert "needs name, username, ca_client, ca_secret_id, ca_secret_value (auth = 'jwt')" in said


def test_sites_have_to_differ(read: Read) -> None:
    """In name, in address, and in token: one token is one session."""
    one = '[[site]]\nname = "A"\ndomain = "a.example"\nsitename = "{}"\npat_name = "p"\npat_secret = "s3cr3t"\n'
    said = faults(read(one.format("x") + one.format("x")))
    assert "2 sites are called A" in said
    assert "are the same site" in said
    assert "use one token" in faults(read(one.format("x") + one.format("y").replace('"A"', '"B"')))


@pytest.mark.parametrize("text", ["", "[site]\nname = 'A'", "site = 1", "[[sites]]\nname = 'A'", "name ="])
def test_file_without_sites_is_a_fault(read: Read, text: str) -> None:
    """Also what is no TOML."""
    assert "fault" in faults(read(text))


def test_server_does_not_start_with_a_fault(read: Read, tmp_path: Path) -> None:
    """Nor where the file is not there."""
    with pytest.raises(RuntimeError, match="the variable NOPE is not set"):
        create_app(read(GOOD.replace("MARKETING_PAT_SECRET", "NOPE")))
    gone = Settings.read(_env_file=None, sites_file=tmp_path / "gone.toml")
    assert "gone.toml has 1 fault" in faults(gone)


def test_without_the_file_there_is_one_site_of_the_variables() -> None:
    """Without a name, so that nothing is labelled."""
    settings = Settings.read(
        _env_file=None, tableau_domain="http://127.0.0.1:9", tableau_pat_name="p", tableau_pat_secret="by-variable"
    )
    (site,) = settings.sites()
    assert (site.name, site.domain, site.credential().secret) == ("", "http://127.0.0.1:9", "by-variable")
