"""Test `flask incidents ack|snooze|close|note`."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from tests.cli.conftest import PAT, Refreshed, Run, objects
from webhooks.cli.support import future
from webhooks.clock import utc_now
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def opened(inbox: Inbox, refreshed: Refreshed) -> list[int]:
    """Cause two open incidents and return their numbers."""
    refreshed("Failed", "Sales", minutes=90)
    refreshed("Failed", "Cash Flow", minutes=30)
    return sorted(record.id for record in inbox.incidents.list())


def test_acknowledgement_names_the_user_and_its_end(flask: Run, inbox: Inbox, opened: list[int]) -> None:
    """Without `--by` the author is the operating system's user; `--for` gives the end."""
    first, _ = opened
    result = flask("incidents", "ack", first, "--for", "2h", "--note", "waiting for the DBA")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Incident {first}: acknowledged by {getpass.getuser()} until 20")
    assert result.stdout.endswith(": Sales\n")
    incident = inbox.incidents.get(first).incident
    assert (incident.state, incident.quiet_by) == ("acknowledged", getpass.getuser())
    assert incident.quiet_until
    assert timedelta(minutes=119) < incident.quiet_until - utc_now() <= timedelta(hours=2)
    assert [act.text for act in incident.acts] == ["waiting for the DBA"]


def test_one_wrong_id_does_not_stop_the_others(flask: Run, inbox: Inbox, opened: list[int]) -> None:
    """Each wrong id is an error of its own, the other incidents are acknowledged, and the exit code is 1."""
    result = flask("incidents", "ack", "99", *opened, "98", "--by", "Ann")
    assert result.exit_code == 1
    assert result.stderr.count("not found") == 2
    assert {record.incident.state for record in inbox.incidents.list()} == {"acknowledged"}


@pytest.mark.parametrize("wrong", [0, -1, 2**63])
def test_any_integer_is_a_clear_error(flask: Run, wrong: int) -> None:
    """A number that no incident can have is not found, without a traceback."""
    result = flask("incidents", "ack", "--", wrong)
    assert (result.exit_code, "not found" in result.stderr) == (1, True)


def test_an_id_twice_is_one_act(flask: Run, inbox: Inbox, opened: list[int]) -> None:
    """A repeated id is not acknowledged twice."""
    flask("incidents", "ack", opened[0], opened[0])
    assert len(inbox.incidents.get(opened[0]).incident.acts) == 1


def test_closed_incident_is_refused(flask: Run, inbox: Inbox, opened: list[int]) -> None:
    """Nothing is left to acknowledge or close, and no act is stored; a note is possible."""
    flask("incidents", "close", opened[0], "--by", "Ann")
    assert inbox.incidents.get(opened[0]).incident.state == "closed"
    for command in ("ack", "close"):
        result = flask("incidents", command, opened[0])
        assert (result.exit_code, "was closed at" in result.stderr) == (1, True)
    assert flask("incidents", "note", opened[0], "the workbook was deleted").exit_code == 0
    assert [act.kind for act in inbox.incidents.get(opened[0]).incident.acts] == ["close", "note"]


def test_snooze_needs_an_end(flask: Run, inbox: Inbox, opened: list[int]) -> None:
    """Without an end, with two, or with an end in the past nothing is done."""
    for words in ((), ("--for", "2h", "--until", "12:00"), ("--until", "2020-01-01"), ("--for", "soon")):
        assert flask("incidents", "snooze", opened[0], *words).exit_code == 2
    assert inbox.incidents.get(opened[0]).incident.state == "open"
    assert flask("incidents", "snooze", opened[0], "--until", "tomorrow 08:00").exit_code == 0
    assert inbox.incidents.get(opened[0]).incident.state == "snoozed"


def test_json_is_the_incident_afterwards(flask: Run, opened: list[int]) -> None:
    """`--json` prints one incident per line, in its new state."""
    found = objects(flask("incidents", "ack", *opened, "--by", "Ann", "--json").stdout)
    assert [(one["id"], one["state"], one["acknowledged_by"]) for one in found] == [
        (number, "acknowledged", "Ann") for number in opened
    ]


def test_notes_are_short_and_contain_no_secrets(flask: Run, inbox: Inbox, opened: list[int]) -> None:
    """An empty or very long note is refused, and a secret of the server in it is masked."""
    assert flask("incidents", "note", opened[0], " ").exit_code == 2
    assert flask("incidents", "note", opened[0], "x" * 1001).exit_code == 2
    assert flask("incidents", "note", opened[0], f"the token is {PAT}").exit_code == 0
    assert [act.text for act in inbox.incidents.get(opened[0]).incident.acts] == ["the token is ***"]


def test_numbers_of_open_incidents_are_completed(opened: list[int], settings: Settings) -> None:
    """A shell completes the numbers of open incidents, with their names."""
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "FLASK_APP": "index",
        "COMP_WORDS": "flask incidents ack ",
        "COMP_CWORD": "3",
        "_FLASK_COMPLETE": "zsh_complete",
    }
    command = [Path(sys.executable).with_name("flask")]
    ended = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    lines = ended.stdout.splitlines()
    assert {(lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)} == {
        (str(opened[0]), "Sales"),
        (str(opened[1]), "Cash Flow"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:30", "2026-01-31T14:30:00+01:00"),
        ("9:05", "2026-02-01T09:05:00+01:00"),
        ("13:00", "2026-02-01T13:00:00+01:00"),
        ("tomorrow 08:00", "2026-02-01T08:00:00+01:00"),
        ("2026-02-03", "2026-02-03T00:00:00+01:00"),
        ("2026-02-03T09:30", "2026-02-03T09:30:00+01:00"),
        ("2026-02-03T09:30Z", "2026-02-03T09:30:00+00:00"),
    ],
)
def test_times_are_in_the_time_zone(text: str, expected: str) -> None:
    """A time of day is the next one in TIMEZONE; a time with a zone keeps it."""
    assert future.parse_future(text, NOW, BERLIN) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "12:60", "2026-01-31", "2099-01-01", "0001-01-01T00:00Z"])
def test_times_that_cannot_be(text: str) -> None:
    """Anything else, the past, and the distant future are refused with examples or the reason."""
    with pytest.raises(click.BadParameter):
        future.parse_future(text, NOW, BERLIN)


@pytest.mark.parametrize("text", ["0m", "2", "2 hours", "401d", "999999999w", "-1h"])
def test_lengths_that_cannot_be(text: str) -> None:
    """A duration is positive, has a unit, and is not longer than 400 days."""
    with pytest.raises(click.BadParameter):
        future.parse_length(text)


def test_lengths() -> None:
    """Units can be combined."""
    assert future.parse_length("1d12h") == timedelta(days=1, hours=12)
    assert future.parse_length("30M") == timedelta(minutes=30)
