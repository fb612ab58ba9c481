"""Test `flask incidents list`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cli.conftest import PAT, Refreshed, Run, objects
from webhooks.clock import utc_now
from webhooks.inbox import Inbox, ResourceDetails
from webhooks.incidents import Act

FIELDS = {
    "id",
    "kind",
    "state",
    "site_luid",
    "resource_luid",
    "resource_name",
    "project",
    "owner",
    "opened_at",
    "closed_at",
    "failures",
    "reason",
    "reason_class",
    "notices",
    "acts",
}


@pytest.fixture
def three(inbox: Inbox, refreshed: Refreshed) -> None:
    """Cause a recovered, an acknowledged and an open incident."""
    refreshed("Failed", "Recovered", minutes=300)
    refreshed("Succeeded", "Recovered", minutes=200)
    refreshed("Failed", "Acknowledged", minutes=100)
    refreshed("Failed", "Open", minutes=120)
    for record in inbox.incidents.list():
        name = record.incident.resource_name
        inbox.incidents.save_details(
            record.id, ResourceDetails(f"Finance/{name}", f"Ann {name} ({name[0]}@acme.example)")
        )
        if name == "Acknowledged":
            inbox.incidents.act(record.id, Act("", "acknowledge", "", utc_now(), "Ann"))


def names(flask: Run, *filters: str) -> list[str]:
    """Return the names of the listed incidents."""
    return [one["resource_name"] for one in objects(flask("incidents", "list", *filters, "--json").stdout)]


@pytest.mark.usefixtures("three")
def test_open_incidents_come_first_then_the_newest(flask: Run) -> None:
    """A closed incident follows those that are still open; each has one line."""
    result = flask("incidents", "list")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["ID", "STATE", "KIND", "NAME", "PROJECT", "OPENED", "DURATION"]
    assert [line.split()[1] for line in lines[1:]] == ["acknowledged", "open", "closed"]
    assert names(flask) == ["Acknowledged", "Open", "Recovered"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--state", "open"), ["Open"]),
        (("--state", "open", "--state", "closed"), ["Open", "Recovered"]),
        (("--kind", "missed"), []),
        (("--resource", "re*"), ["Recovered"]),
        (("--project", "Open"), ["Open"]),
        (("--project", "finance/*"), ["Acknowledged", "Open", "Recovered"]),
        (("--project", "finance"), []),
        (("--owner", "o@acme.example"), ["Open"]),
        (("--owner", "ann open"), ["Open"]),
        (("--since", "150m"), ["Acknowledged", "Open"]),
        (("--since", "1d", "--limit", "2"), ["Acknowledged", "Open"]),
        (("--limit", "0"), ["Acknowledged", "Open", "Recovered"]),
    ],
)
def test_filters(flask: Run, filters: tuple[str, ...], found: list[str]) -> None:
    """Of several values one has to match; `--since` keeps what was not closed before."""
    assert names(flask, *filters) == found


@pytest.mark.usefixtures("three")
def test_json_has_the_documented_fields(flask: Run) -> None:
    """Every incident has the fields that other programs rely on."""
    first, _, closed = objects(flask("incidents", "list", "--json").stdout)
    assert first.keys() >= FIELDS
    assert [act["kind"] for act in first["acts"]] == ["acknowledge"]
    assert closed["closed_at"]


def test_secrets_in_details_are_masked(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """A secret of the server is shown nowhere."""
    refreshed("Failed")
    (record,) = inbox.incidents.list()
    inbox.incidents.save_details(record.id, ResourceDetails(owner=PAT))
    for words in (("incidents", "list", "--json"), ("status",), ("status", "--json")):
        assert PAT not in flask(*words).stdout


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("limit", [0, 3, 10**30])
def test_limit_of_any_size(flask: Run, limit: int) -> None:
    """0 lists all, and so does a number that is larger than any in the database."""
    assert len(objects(flask("incidents", "list", "--json", "--limit", limit).stdout)) == 3


def test_no_incidents(flask: Run) -> None:
    """An empty list prints nothing on standard output."""
    result = flask("incidents", "list", "--state", "open")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such incidents.\n")


@pytest.mark.parametrize(("option", "value"), [("--state", "opne"), ("--kind", "fialing")])
def test_unknown_names_are_refused(flask: Run, option: str, value: str) -> None:
    """A misspelt state or kind ends the command with the nearest one."""
    result = flask("incidents", "list", option, value)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr


def test_hostile_names_are_harmless(flask: Run, refreshed: Refreshed) -> None:
    """A name with control characters or line ends stays on its line."""
    refreshed("Failed", "Sales\x1b[2J\r\nfake  open\u202e")
    for words in (("incidents", "list"), ("status",)):
        text = flask(*words).stdout
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert any("fake" in line and "Sales" in line for line in text.splitlines())


def test_age_is_that_of_the_incident(inbox: Inbox, flask: Run, refreshed: Refreshed) -> None:
    """The duration of a closed incident ends with its recovery."""
    refreshed("Failed", minutes=300)
    refreshed("Succeeded", minutes=240)
    (record,) = inbox.incidents.list()
    # Times of webhooks are in seconds, and the second may end between the two.
    assert timedelta() <= record.incident.duration(utc_now()) - timedelta(hours=1) < timedelta(seconds=10)
    assert flask("incidents", "list").stdout.splitlines()[-1].rstrip().endswith("1 h")
