"""`flask webhooks list`, `create`, `enable` and `delete` against the simulator over HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from simulator import Running
from tests.cli.conftest import objects
from tests.cli.webhooks.test_sync import add
from tests.support.pseudo_terminal import terminal_session
from tests.support.simulated_site import DESIRED, TOKEN, RunFlask
from webhooks.config.settings import Settings

SERVER = "https://hooks.example.org"


@pytest.fixture
def environment(settings: Settings, site: Running) -> Mapping[str, str]:
    """Return the variables of a command that runs in a separate process."""
    given = {"RULES_FILE": str(settings.rules_file), "WEBHOOK_TOKEN": TOKEN}
    return {**os.environ, **site.environment, **given, "DATABASE_URL": settings.database_url.get_secret_value()}


def test_webhooks_are_created_listed_tested_enabled_and_deleted(flask: RunFlask, server: str) -> None:
    """A webhook is handled from its creation to its end without its token ever being shown."""
    empty = flask("webhooks", "list")
    assert (empty.exit_code, empty.stdout) == (0, "")
    outputs = [flask("webhooks", "create", "WorkbookCreated", "--url", server)]
    name = "tableau-webhooks WorkbookCreated"
    (created,) = objects(flask("webhooks", "list", "--json").stdout)
    assert (created["name"], created["event"], created["is_enabled"], created["ours"]) == (
        name,
        "WorkbookCreated",
        True,
        True,
    )
    assert created["url"] == f"{server}/webhook/***"
    outputs += [flask("webhooks", "list"), flask("webhooks", "test", name)]
    outputs += [flask("webhooks", "enable", created["luid"]), flask("webhooks", "delete", name)]
    for result in outputs:
        assert result.exit_code == 0, result.output
        assert TOKEN not in result.output
    assert "200" in outputs[2].stdout
    assert objects(flask("webhooks", "list", "--json").stdout) == []


def test_webhooks_of_other_programs_are_not_deleted_without_yes(flask: RunFlask) -> None:
    """A webhook that this server did not create is deleted with --yes only."""
    flask("webhooks", "create", "SiteUpdated", "--url", "https://other.example.org/hook", "--name", "finance's")
    refused = flask("webhooks", "delete", "finance's")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert flask("webhooks", "delete", "finance's", "--yes").exit_code == 0


def test_unknown_webhook_ends_with_1(flask: RunFlask) -> None:
    """Nothing is changed if the webhook is not found."""
    for command in ("delete", "test", "enable"):
        result = flask("webhooks", command, "nothing")
        assert (result.exit_code, "Webhook 'nothing' not found" in result.stderr) == (1, True)


def test_list_marks_this_servers_webhooks_and_hides_tokens(flask: RunFlask, site: Running) -> None:
    """Secrets in the URLs of other programs are hidden, too."""
    url = "https://finance.example.org/hook/their-secret?sig=their-signature"
    add(site, "finance", "SiteUpdated", url, enabled=False)
    flask("webhooks", "sync", "--url", SERVER)
    listed = flask("webhooks", "list")
    assert all(secret not in listed.output for secret in (TOKEN, "their-secret", "their-signature"))
    ours = {found["name"]: found["ours"] for found in objects(flask("webhooks", "list", "--json").stdout)}
    assert ours == {"finance": False, **{f"tableau-webhooks {event}": True for event in DESIRED}}


def test_list_in_a_pipe_shows_every_column_whole(flask: RunFlask, site: Running) -> None:
    """Nothing is shortened where a program reads; the reason of a disabled webhook is included."""
    disabled = add(site, "finance", "SiteUpdated", f"{SERVER}/hook", enabled=False)
    with site.world.lock:
        disabled.status_change_reason = "delivery failed 4 times in a row"
    heading, row = flask("webhooks", "list").stdout.splitlines()
    assert heading.split() == ["EVENT", "ENABLED", "NAME", "URL", "REASON", "LUID"]
    assert "delivery failed 4 times in a row" in row
    assert disabled.luid in row


def test_list_on_a_terminal_says_once_what_is_equal(
    flask: RunFlask, site: Running, environment: Mapping[str, str]
) -> None:
    """Equal names and URLs are one line each above the table; a webhook of another program brings the columns back."""
    flask("webhooks", "sync", "--url", SERVER)
    with terminal_session("webhooks", "list", environment={**environment, "TERM": "dumb"}) as session:
        assert session.wait() == 0
    name, url, blank, heading, *rows = session.shown.splitlines()
    assert (name, url) == ("Name: tableau-webhooks EVENT", f"URL:  {SERVER}/webhook/***")
    assert (blank, heading.split()) == ("", ["EVENT", "ENABLED"])
    assert [row.split() for row in rows] == [[event, "yes"] for event in sorted(DESIRED)]
    add(site, "finance", "SiteUpdated", "https://finance.example.org/hook")
    with terminal_session("webhooks", "list", environment={**environment, "TERM": "dumb"}) as session:
        assert session.wait() == 0
    assert session.shown.splitlines()[0].split() == ["EVENT", "ENABLED", "NAME", "URL"]


def test_list_on_80_columns_keeps_enabled(site: Running, environment: Mapping[str, str]) -> None:
    """The column that matters stays whole on a narrow terminal, and each webhook is one line."""
    long = "tableau-webhooks DatasourceRefreshSucceeded"
    add(site, long, "DatasourceRefreshSucceeded", f"{SERVER}/webhook/{TOKEN}", enabled=False)
    with terminal_session("webhooks", "list", environment={**environment, "TERM": "dumb"}) as session:
        assert session.wait() == 0
    heading, row = session.shown.splitlines()
    assert heading.split()[:2] == ["EVENT", "ENABLED"]
    assert row.split()[:2] == ["DatasourceRefreshSucceeded", "no"]
    assert max(map(len, (heading, row))) <= 80
