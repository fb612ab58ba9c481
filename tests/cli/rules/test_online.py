"""Test `flask rules check --online` and the checks of `flask doctor` that it shares, against the simulator."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from simulator import Running
from tests.support.pseudo_terminal import terminal_session
from tests.support.simulated_site import (
    MakeFlask,
    RunFlask,
    flask,
    inject_fault,
    make_flask,
    settings,
    site,
    slack_messages,
)
from tests.support.simulated_site import rules_file as rules_file  # noqa: PLC0414 - a fixture
from webhooks.config.settings import Settings

__all__ = ["flask", "make_flask", "rules_file", "settings", "site"]


def write(file: Path, notify: str, where: str = "{}", on: str = "*RefreshFailed") -> None:
    """Write one rule."""
    rule = f'[[rule]]\nname = "One"\non = "{on}"\nwhere = {where}\nnotify = {notify}\n'
    file.write_text(f"{rule}\n[dead_letters]\nnotify = []\n", encoding="utf-8")


def online(flask: RunFlask, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code, and the results of the online checks."""
    result = flask("rules", "check", "--online", "--json", *options)
    return result.exit_code, [found for line in result.stdout.splitlines() if "check" in (found := json.loads(line))]


def texts(found: list[dict[str, Any]], check: str) -> list[str]:
    return [f"{result['state']}: {result['text']}" for result in found if result["check"] == check]


NO_CHANNEL = "no such channel, or a private one that the app was not invited to"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("#bi", "ok: slack:#bi: the app may post there"),
        ("#general", "ok: slack:#general: the app may post there, but it is not a member: it cannot add pictures"),
        ("#finance-dta", f"failed: slack:#finance-dta: {NO_CHANNEL}; did you mean #finance-data?"),
        ("#board", f"failed: slack:#board: {NO_CHANNEL}"),
        ("#old-news", "failed: slack:#old-news: the channel is archived"),
        ("C000000002", "ok: slack:C000000002: the app may post there"),
        ("C000009999", f"failed: slack:C000009999: {NO_CHANNEL}"),
        ("U000000001", "ok: slack:U000000001: the user exists"),
        ("U999999999", "failed: slack:U999999999: no such user"),
        ("zzz@acme.example", "failed: slack:zzz@acme.example: this workspace has no user with that e-mail address"),
    ],
)
def test_destinations_in_slack_are_looked_up(
    flask: RunFlask, site: Running, rules_file: Path, address: str, expected: str
) -> None:
    """Channels by name and id, users by id and e-mail address; no message is sent."""
    write(rules_file, f'"slack:{address}"')
    code, found = online(flask)
    assert texts(found, "destination") == [expected]
    assert code == int(expected.startswith("failed"))
    assert slack_messages(site) == []


@pytest.mark.parametrize(
    ("scope", "address", "text"),
    [
        ("channels:read", "#bi", "not found, but public channels cannot be checked"),
        ("groups:read", "#board", "not found, but private channels cannot be checked"),
        ("channels:read", "C000000002", "cannot be checked"),
        ("users:read.email", "ann@acme.example", "cannot be checked"),
        ("users:read", "U000000001", "cannot be checked"),
    ],
)
def test_missing_scope_is_named(  # noqa: PLR0917 - a case and its fixtures
    flask: RunFlask, site: Running, rules_file: Path, scope: str, address: str, text: str
) -> None:
    """A name that cannot be checked causes a warning, which names the missing scope."""
    with site.world.lock:
        site.world.slack.scopes.remove(scope)
    write(rules_file, f'"slack:{address}"')
    code, found = online(flask)
    expected = f"warning: slack:{address}: {text} without the scope {scope}"
    assert (code, texts(found, "destination")) == (0, [expected])
    assert online(flask, "--strict")[0] == 1


def test_public_channel_needs_an_invitation_without_the_scope(flask: RunFlask, site: Running, rules_file: Path) -> None:
    """Without chat:write.public, the app may post to its own channels only; a name is found by one list."""
    with site.world.lock:
        site.world.slack.scopes.remove("chat:write.public")
        site.world.slack.scopes.remove("groups:read")
    write(rules_file, '["slack:#general", "slack:#bi"]')
    found = texts(online(flask)[1], "destination")
    assert found == [
        "ok: slack:#bi: the app may post there",
        "failed: slack:#general: the app is not a member of the channel; invite it: /invite @its-name",
    ]


def test_slack_that_does_not_respond_is_asked_once(flask: RunFlask, site: Running, rules_file: Path) -> None:
    """A failure that is not about the address ends the look-ups; every address says why it was not checked."""
    inject_fault(site, kind="unauthorized", target="slack")
    write(rules_file, '["slack:ann@acme.example", "slack:#bi", "slack:C000000002"]')
    found = texts(online(flask)[1], "destination")
    assert len(found) == 3
    for text in found:
        assert text.startswith("warning: slack:")
        assert text.endswith("not checked: Slack: invalid_auth (SLACK_TOKEN is not valid)")


def test_default_channel_is_looked_up_with_its_variable(
    make_flask: MakeFlask, settings: Settings, rules_file: Path
) -> None:
    """The destination `slack` is the channel of SLACK_CHANNEL, and the result says so."""
    write(rules_file, '"slack"')
    elsewhere = settings.model_copy(update={"slack_channel": "#bj"})
    found = texts(online(make_flask(elsewhere))[1], "destination")
    assert found[0].startswith("failed: slack:#bj (SLACK_CHANNEL): no such channel")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('{ project = "Fnance" }', 'no project in Tableau matches "Fnance"; did you mean "Finance"?'),
        ('{ project = ["Finance", "!Sandbx"] }', 'no project in Tableau matches "Sandbx"'),
        ('{ project = "Nothing*" }', 'no project in Tableau matches "Nothing*"'),
        ('{ tags = "no-such-tag" }', 'no tag in Tableau matches "no-such-tag"'),
        ('{ owner = "zzz@nowhere.example" }', 'no owner in Tableau matches "zzz@nowhere.example"'),
        ('{ name = "Sales overvew" }', 'no workbook or data source in Tableau matches "Sales overvew"'),
        ('{ luid = "11111111-2222-4333-8444-555555555555" }', "no workbook or data source in Tableau matches"),
        ('{ site_luid = "11111111-2222-4333-8444-555555555555" }', "no site in Tableau matches"),
    ],
)
def test_name_that_tableau_does_not_know_is_a_warning(
    flask: RunFlask, rules_file: Path, where: str, expected: str
) -> None:
    """It may be created later, so it is not an error; the nearest name is suggested."""
    write(rules_file, '"console"', where)
    code, found = online(flask)
    (text,) = texts(found, "names")
    assert code == 0
    assert text.startswith(f'warning: rule "One": {expected}')


@pytest.mark.parametrize(
    "where", ['{ project = "finance" }', '{ project = "!Nothing*" }', '{ project = "Fin*", name = "*" }']
)
def test_names_that_exist_are_fine(flask: RunFlask, rules_file: Path, where: str) -> None:
    """Case is ignored, a pattern has to match anything, and an excluding pattern need not match yet."""
    write(rules_file, '"console"', where)
    assert texts(online(flask)[1], "names") == ["ok: every name in a condition exists in Tableau"]


def test_names_of_other_content_are_not_compared(flask: RunFlask, rules_file: Path) -> None:
    """The name of a user, a view or a site is in no list of workbooks."""
    write(rules_file, '"console"', '{ name = "ann" }', on="UserDeleted")
    assert texts(online(flask)[1], "names") == ["skipped: no condition names anything that can be looked up in Tableau"]
    write(rules_file, '"console"', '{ name = "Scratch", project = "Finance" }', on="ViewDeleted")
    (text,) = texts(online(flask)[1], "names")
    assert text == 'ok: every name that was looked up exists in Tableau; not looked up: resource_name in rule "One"'


def test_names_while_tableau_is_down(flask: RunFlask, site: Running, rules_file: Path) -> None:
    """One warning per list with the reason; the rules are valid anyway."""
    inject_fault(site, kind="refuse", target="tableau")
    write(rules_file, '"console"', '{ project = "Finance" }')
    code, found = online(flask)
    assert code == 0
    assert texts(found, "names")[0].startswith("warning: project cannot be compared: ")


def test_doctor_has_the_same_checks(flask: RunFlask, rules_file: Path) -> None:
    """A destination that does not exist fails the doctor; a name that does not exist is a warning."""
    write(rules_file, '"slack:#finance-dta"', '{ project = "Fnance" }')
    result = flask("doctor")
    assert result.exit_code == 1
    assert "failed   destination  slack:#finance-dta: no such channel" in result.stdout
    assert 'warning  names        rule "One": no project in Tableau matches "Fnance"' in result.stdout


def test_owners_are_not_looked_up(flask: RunFlask, rules_file: Path) -> None:
    """Only an event decides whose address it is; that their notifier is not configured is a warning."""
    write(rules_file, '["owner", "email:owner"]')
    code, found = online(flask)
    assert code == 0
    assert texts(found, "destination") == ["warning: rules send messages to the owner, but E-mail is not configured"]


def test_webhooks_that_the_rules_need_are_looked_up(flask: RunFlask, site: Running, rules_file: Path) -> None:
    """Those that are missing or disabled are a warning, which fails with --strict; nothing is changed in Tableau."""
    write(rules_file, '"console"', on="WorkbookCreated")
    assert texts(online(flask)[1], "webhooks") == ["warning: 1 webhook is missing or disabled: WorkbookCreated"]
    assert online(flask, "--strict")[0] == 1
    assert flask("webhooks", "sync", "--url", "http://127.0.0.1:9/webhook", "--yes").exit_code == 0
    before = len(site.world.home.webhooks)
    assert texts(online(flask)[1], "webhooks") == ["ok: every event type that the rules need has a webhook"]
    assert online(flask, "--strict")[0] == 0
    for webhook in site.world.home.webhooks.values():
        webhook.is_enabled = False
    assert "missing or disabled: WorkbookCreated" in texts(online(flask)[1], "webhooks")[0]
    assert len(site.world.home.webhooks) == before


def test_lines_fit_into_80_columns(settings: Settings, site: Running, rules_file: Path) -> None:
    """Long results are wrapped within their column."""
    write(rules_file, '"slack:#finance-dta"', '{ project = "Fnance" }')
    database = settings.database_url.get_secret_value()
    environment = {**site.environment, "DATABASE_URL": database, "RULES_FILE": str(rules_file)}
    with terminal_session("rules", "check", "--online", environment=environment) as session:
        assert session.wait() == 1
    lines = session.shown.splitlines()
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in lines[lines.index("") :])
    assert "did you mean" in session.shown
