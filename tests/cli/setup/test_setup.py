"""`flask setup` tests every answer and writes a file with which the server starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import simulator
from tests.support.pseudo_terminal import terminal_session
from webhooks.cli.setup.env_text import replace_file, set_variables
from webhooks.config.env_file import parse_env, read_env_file
from webhooks.config.settings import ROOT
from webhooks.config.site import parse_page_address


@pytest.fixture
def site() -> Iterator[simulator.Running]:
    with simulator.running() as running:
        yield running


def environment(site: simulator.Running) -> dict[str, str]:
    """Return the variables of a machine on which nothing is configured but the address of the simulated Slack."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return {**kept, "FLASK_APP": "index", "SLACK_API_URL": f"{site.url}/slack/api/"}


def answers(site: simulator.Running, **changed: str) -> str:
    """Return the right answers in order, one per line."""
    config = site.world.config
    given = {
        "address": f"{site.url}/#/site/{config.content_url}/home",
        "name": config.pat_name,
        "secret": config.pat_secret,
        "public": "https://webhooks.example.org",
        "token": config.slack_token,
        "channel": "#bi",
        "signing": "signing-secret-of-the-app",
    }
    return "\n".join((given | changed).values()) + "\n"


def run(path: Path, stdin: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "setup", "--file", str(path)],
        check=False,
        cwd=ROOT,
        env=dict(variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_answers_from_a_pipe_write_the_file(site: simulator.Running, tmp_path: Path) -> None:
    """The file is the owner's only, has the answers, and keeps the comments of the example; a message was sent."""
    path = tmp_path / ".env"
    ended = run(path, answers(site), environment(site))
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    written = read_env_file(path)
    config = site.world.config
    assert written["TABLEAU_DOMAIN"] == site.url
    assert written["TABLEAU_SITENAME"] == "acme"
    assert written["TABLEAU_PAT_SECRET"] == config.pat_secret
    assert written["SLACK_CHANNEL"] == "#bi"
    assert len(written["WEBHOOK_TOKEN"]) >= 32
    assert "# Host, e.g. 10ax.online.tableau.com" in path.read_text()
    assert [one.text.split("\n")[0] for one in site.world.slack.messages] == ["Tableau Webhooks is connected"]
    assert (tmp_path / "rules.toml").exists()
    assert "https://api.slack.com/apps?new_app=1&manifest_json=%7B" in ended.stdout
    assert config.pat_secret not in ended.stdout + ended.stderr
    assert config.slack_token not in ended.stdout + ended.stderr
    assert "https%3A//webhooks.example.org/slack/interactions" in ended.stdout
    assert written["SLACK_SIGNING_SECRET"] == "signing-secret-of-the-app"
    assert "signing-secret-of-the-app" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"address": "my tableau"}, "10ax.online.tableau.com"),
        ({"address": "http://127.0.0.1:1/#/site/acme"}, "No Tableau responds at http://127.0.0.1:1"),
        ({"secret": "wrong"}, "401001"),
        ({"token": "xoxb-wrong"}, "invalid_auth"),
        ({"channel": "#nowhere"}, "channel_not_found"),
        ({"public": "localhost"}, "not a public address"),
    ],
)
def test_wrong_answer_writes_nothing(
    site: simulator.Running, tmp_path: Path, changed: dict[str, str], words: str
) -> None:
    """From a pipe, the first wrong answer ends the command with the reason, and no file is written."""
    ended = run(tmp_path / ".env", answers(site, **changed), environment(site))
    assert ended.returncode == 1
    assert words in ended.stdout
    assert "nothing was written" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_input_that_ends_early_writes_nothing(site: simulator.Running, tmp_path: Path) -> None:
    """Without a terminal and without answers, the command says how to use it."""
    ended = run(tmp_path / ".env", f"{site.url}/#/site/acme\n", environment(site))
    assert ended.returncode == 130
    assert "Setup stopped; nothing was written.\nRun it in a terminal" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.second_stage
def test_answers_in_a_terminal_can_be_corrected(site: simulator.Running, tmp_path: Path) -> None:
    """After a refused token each answer can be corrected; secrets are never shown, and lines of a file are kept."""
    path = tmp_path / ".env"
    path.write_text(f"# mine\nTABLEAU_DOMAIN={site.url}\nexport TABLEAU_SITENAME=acme\nMY_OWN=1\n")
    with terminal_session("setup", "--file", str(path), environment=environment(site)) as session:
        session.wait_for("/#/site/acme]: ")
        session.answer("")
        session.wait_for("Name of the token: ")
        session.answer("mistyped")
        session.wait_for("Secret of the token: ")
        session.answer("not-the-secret")
        # Input before the prompt would be discarded.
        session.wait_for("/#/site/acme]: ", seconds=60)
        session.answer("")
        session.wait_for("Name of the token [mistyped]: ")
        session.answer("webhooks")
        session.wait_for("Secret of the token: ")
        session.answer(site.world.config.pat_secret)
        session.wait_for("Public address of this server: ", seconds=60)
        session.answer("")
        session.wait_for("Bot token (xoxb-…): ")
        session.answer("")
        assert session.wait() == 0
        assert "Signed in: REST API" in session.shown
        assert "Correct what is wrong" in session.shown
        assert "not-the-secret" not in session.shown
        assert site.world.config.pat_secret not in session.shown
    text = path.read_text()
    assert text.startswith(f"# mine\nTABLEAU_DOMAIN={site.url}\nTABLEAU_SITENAME=acme\nMY_OWN=1\n")
    assert "SLACK_TOKEN" not in text
    assert (tmp_path / ".env.previous").read_text().startswith("# mine")


@pytest.mark.parametrize(
    "value", ["plain", "", "with blank", "a'b\"c\\d", "#bi", "$x ${y}", "trailing\\", " edges ", "ümlaut", "a=b # c"]
)
def test_written_value_is_read_as_it_was(value: str) -> None:
    """The env file's reader returns every secret as it was, with spaces, quotation marks and backslashes."""
    text = set_variables("# a comment\nA=old # note\nB=2\nA=again\n", {"A": value, "C": value})
    assert parse_env(text) == {"A": value, "B": "2", "C": value}
    assert text.startswith("# a comment\n")


def test_value_of_several_lines_is_refused() -> None:
    """An env file has one line for each value."""
    with pytest.raises(ValueError, match="one line"):
        set_variables("", {"A": "x\ny"})


def test_replaced_file_is_kept_as_the_previous_one(tmp_path: Path) -> None:
    """A second replacement keeps the newest previous file; both are readable by the owner only."""
    path = tmp_path / ".env"
    assert replace_file(path, "A=1\n") is None
    assert replace_file(path, "A=2\n") == tmp_path / ".env.previous"
    assert replace_file(path, "A=3\n") == tmp_path / ".env.previous"
    assert (path.read_text(), (tmp_path / ".env.previous").read_text()) == ("A=3\n", "A=2\n")
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://10ax.online.tableau.com/#/site/acme/home", ("https://10ax.online.tableau.com", "acme")),
        ("10ax.online.tableau.com/#/site/acme", ("https://10ax.online.tableau.com", "acme")),
        ("https://x.online.tableau.com/t/acme/views/Sales/Overview", ("https://x.online.tableau.com", "acme")),
        ("https://tableau.acme.example/#/home", ("https://tableau.acme.example", "")),
        ("http://127.0.0.1:8100/#/site/acme/workbooks/3?order=name", ("http://127.0.0.1:8100", "acme")),
        ("tableau.acme.example", ("https://tableau.acme.example", "")),
    ],
)
def test_site_is_found_in_the_address_of_a_page(address: str, expected: tuple[str, str]) -> None:
    """Any page of the site will do, also an embedded view, also of the default site."""
    assert parse_page_address(address) == expected
