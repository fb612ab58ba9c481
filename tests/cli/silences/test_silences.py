"""Test `flask silences list|add|end`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cli.conftest import Refreshed, Run, objects
from webhooks.clock import utc_now
from webhooks.inbox import Inbox, ResourceDetails
from webhooks.incidents import IncidentFilter

ADD = ("silences", "add", "--reason", "upgrade", "--by", "Ann")


@pytest.fixture
def finance(inbox: Inbox, refreshed: Refreshed) -> int:
    """Cause an open incident in the project Finance/Daily and another one; return the number of the first."""
    refreshed("Failed", "Sales", minutes=90)
    refreshed("Failed", "Cash Flow", minutes=30)
    (record,) = inbox.incidents.list(IncidentFilter(resources=["Cash Flow"]))
    inbox.incidents.save_details(record.id, ResourceDetails("Finance/Daily", tags=("gold", "nightly")))
    return record.id


def test_silence_says_how_many_open_incidents_it_matches(flask: Run, finance: int) -> None:
    """Each silence is listed with its patterns, period, author, reason, and the number of matching incidents."""
    added = flask(*ADD, "--project", "Finance/*", "--for", "2h")
    assert added.stdout.startswith("Silence 1: project=Finance/*, 20")
    assert added.stdout.endswith("; matches 1 open incident now\n")
    flask(*ADD, "--everything", "--until", "tomorrow 08:00")
    flask(*ADD, "--kind", "missed", "--for", "1d")
    headings, *lines = flask("silences", "list").stdout.splitlines()
    assert headings.split() == ["ID", "STATE", "MATCHES", "PERIOD", "BY", "REASON", "OPEN"]
    assert [(line.split()[0], line.split()[2], line.split()[-1]) for line in lines] == [
        ("3", "kind=missed", "0"),
        ("2", "everything", "2"),
        ("1", "project=Finance/*", "1"),
    ]
    found = objects(flask("silences", "list", "--json").stdout)
    assert [one["incidents"] for one in found][2] == [finance]
    assert found[2]["matchers"] == {"project": ["Finance/*"]}
    assert (found[2]["by"], found[2]["reason"], found[2]["state"]) == ("Ann", "upgrade", "active")


@pytest.mark.parametrize(
    ("patterns", "matched"),
    [
        (("--name", "cash*"), 1),
        (("--name", "cash*", "--name", "sales"), 2),
        (("--name", "cash*", "--project", "Other"), 0),
        (("--name", "!cash*"), 1),
        (("--kind", "failing"), 2),
        (("--reason-class", "network"), 0),
        (("--tag", "night*"), 1),
        (("--tag", "!night*"), 0),
        (("--tag", "gold", "--name", "sales"), 0),
        (("--site", "6b7a3f8e*"), 2),
    ],
)
@pytest.mark.usefixtures("finance")
def test_patterns(flask: Run, patterns: tuple[str, ...], matched: int) -> None:
    """All kinds of patterns have to match; of several of one kind, one has to."""
    found = objects(flask(*ADD, *patterns, "--for", "1h", "--json").stdout)
    assert len(found[0]["incidents"]) == matched


@pytest.mark.parametrize(
    ("text", "days"),
    [("sat,sun 22:00-06:00", ["sat", "sun"]), ("mon-wed 1:00 - 03:00", ["mon", "tue", "wed"]), ("22:00-06:00", None)],
)
def test_weekly_times(flask: Run, text: str, days: list[str] | None) -> None:
    """Weekly times need no end; without days they are daily."""
    (found,) = objects(flask(*ADD, "--everything", "--weekly", text, "--json").stdout)
    assert found["weekly"]["days"] == (days or ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    assert found["weekly"]["timezone"] == "UTC"
    assert found["end"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("--for", "2h"),
        ("--everything", "--name", "x", "--for", "2h"),
        ("--everything",),
        ("--everything", "--for", "2h", "--until", "12:00"),
        ("--everything", "--weekly", "sometimes"),
        ("--everything", "--weekly", "xyz 22:00-06:00"),
        ("--everything", "--weekly", "22:00-22:00"),
        ("--everything", "--weekly", "25:00-26:00"),
        ("--everything", "--for", "2h", "--from", "2020-01-01"),
        ("--everything", "--for", "2h", "--reason", " "),
    ],
)
def test_mistakes_are_refused(flask: Run, inbox: Inbox, words: tuple[str, ...]) -> None:
    """Without patterns, an end, or valid times, nothing is stored."""
    result = flask(*ADD, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert inbox.silences.list(utc_now()) == []


def test_future_silence_waits(flask: Run) -> None:
    """A silence with `--from` is not in force before its start, and `--for` counts from it."""
    (found,) = objects(flask(*ADD, "--everything", "--from", "tomorrow 08:00", "--for", "2h", "--json").stdout)
    assert found["state"] == "waiting"
    assert (found["start"][11:16], found["end"][11:16]) == ("08:00", "10:00")


def test_ended_silences(flask: Run) -> None:
    """A silence ends once; those that have ended are listed with `--since` only."""
    flask(*ADD, "--everything", "--for", "2h")
    assert flask("silences", "end", 1).stdout == "Silence 1: ended\n"
    again = flask("silences", "end", 1, 99, 2**70)
    assert (again.exit_code, f"Silences 1, 99, {2**70} not found" in again.stderr) == (1, True)
    assert flask("silences", "list").stdout == ""
    (found,) = objects(flask("silences", "list", "--since", "1h", "--json").stdout)
    assert found["state"] == "ended"


def test_end_of_a_silence_wakes_the_incidents(flask: Run, inbox: Inbox, finance: int) -> None:
    """The notices that a silence held are brought up to date at once, not at the end that it had before."""
    inbox.incidents.save_due(finance, utc_now() + timedelta(hours=2))
    flask(*ADD, "--everything", "--for", "2h")
    assert inbox.incidents.wake() == 0
    flask("silences", "end", 1)
    assert inbox.incidents.wake() == 2
