"""Test `flask incidents show`: what happened, and why a destination was not notified."""

from __future__ import annotations

import json
import re
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cli.conftest import Refreshed, Run
from webhooks.clock import utc_now
from webhooks.inbox import Inbox, ResourceDetails
from webhooks.incidents import Act, DestinationPolicy, Policy, RunEvidence, WeeklyPeriod

TO = "slack:#bi"


def story(flask: Run, number: int) -> dict[str, Any]:
    """Return the incident as JSON."""
    found: dict[str, Any] = json.loads(flask("incidents", "show", number, "--json").stdout)
    return found


def register(inbox: Inbox, number: int, **policy: Any) -> None:
    """Register a notice of the incident that was not sent."""
    quiet = policy.pop("quiet", None)
    inbox.notices.register(number, TO, Policy("Finance", (DestinationPolicy(TO, **policy),), quiet=quiet))


@pytest.fixture
def number(inbox: Inbox, refreshed: Refreshed) -> int:
    """Cause an open incident with two failures and a note, and return its number."""
    refreshed("Failed", "Unknown to the rules", minutes=90)
    refreshed("Failed", "Unknown to the rules", minutes=30)
    (record,) = inbox.incidents.list()
    inbox.incidents.save_details(record.id, ResourceDetails("Finance", "Ben (ben@acme.example)"))
    inbox.incidents.act(record.id, Act("", "note", "", utc_now(), "Ann", text="the vendor renamed a column"))
    return record.id


def test_timeline_has_runs_messages_acts_and_the_end(
    flask: Run, inbox: Inbox, number: int, refreshed: Refreshed
) -> None:
    """Everything that happened is listed in the order of time."""
    notice = inbox.notices.register(number, TO, Policy("Finance", (DestinationPolicy(TO),)))
    inbox.notices.save(notice, posted={"message": {"channel": "C1", "id": "1.2"}}, shown={"message": 1})
    refreshed("Succeeded", "Unknown to the rules", minutes=-1)
    found = story(flask, number)
    kinds = [entry["kind"] for entry in found["timeline"]]
    assert kinds == ["failed", "failed", "act", "notice", "succeeded", "closed"]
    texts = [entry["text"] for entry in found["timeline"]]
    assert texts[2:4] == ["note added by Ann: the vendor renamed a column", "#bi notified by the rule Finance"]
    assert texts[-1].startswith("Recovered after 1 h 31 min, 2 failures")
    assert found["unsent"] == []
    page = flask("incidents", "show", number).stdout
    assert "note added by Ann: the vendor renamed a column" in page
    assert "Ben (ben@acme.example)" in page


def test_no_rule(flask: Run, number: int) -> None:
    """If no rule is about the refresh, this is the reason why nothing was sent."""
    assert [one["reason"].partition(";")[0] for one in story(flask, number)["unsent"]] == [
        "no rule notifies of this refresh"
    ]
    assert "no rule notifies of this refresh" in flask("incidents", "show", number).stdout


def test_incident_from_the_history(flask: Run, inbox: Inbox) -> None:
    """A failure that no event reported, because it was found in Tableau's job list, has its own reason."""
    ended = utc_now() - timedelta(hours=1)
    piece = RunEvidence("job list", "s", "r", "workbook", "failed", utc_now(), None, ended, "Sales", job_luid="j")
    inbox.incidents.learn(piece)
    (record,) = inbox.incidents.list()
    (unsent,) = story(flask, record.id)["unsent"]
    assert unsent["reason"].startswith("it was found in Tableau's history")
    assert flask("incidents", "ack", record.id).exit_code == 0


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"failures": 3}, "from 3 failures in a row on"),
        ({"after": timedelta(days=3)}, "due 20"),
        ({}, "due now"),
    ],
)
def test_destination_that_is_not_due(
    flask: Run, inbox: Inbox, number: int, policy: dict[str, Any], reason: str
) -> None:
    """An escalation says from when on it is notified."""
    register(inbox, number, **policy)
    (unsent,) = story(flask, number)["unsent"]
    assert unsent["destination"] == TO
    assert unsent["reason"].startswith(reason)


def test_acknowledged_incident_is_not_escalated(flask: Run, inbox: Inbox, number: int) -> None:
    """An escalation that waits for an acknowledged incident says so."""
    register(inbox, number, after=timedelta(days=3))
    flask("incidents", "ack", number)
    assert [one["reason"] for one in story(flask, number)["unsent"]] == ["it is acknowledged"]


def test_silence_that_holds_a_message(flask: Run, inbox: Inbox, number: int) -> None:
    """The silence is named with its author, end and reason, and is a part of the timeline."""
    register(inbox, number)
    flask("silences", "add", "--project", "Fin*", "--for", "2h", "--reason", "upgrade", "--by", "Ann")
    found = story(flask, number)
    (unsent,) = found["unsent"]
    assert unsent["reason"].startswith("held until 20")
    assert unsent["reason"].endswith(" by silence 1 by Ann (upgrade)")
    assert [entry["kind"] for entry in found["timeline"]][-1] == "silence"


def test_quiet_hours_that_hold_a_message(flask: Run, inbox: Inbox, number: int) -> None:
    """Quiet hours are named as such."""
    day = WeeklyPeriod(time(0), time(23, 59, 59), frozenset(range(7)), ZoneInfo("UTC"))
    register(inbox, number, quiet=day)
    (unsent,) = story(flask, number)["unsent"]
    assert unsent["reason"].startswith("held until 20")
    assert unsent["reason"].endswith(" by quiet hours")


def test_message_that_could_not_be_sent(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """The error of a dead job is the reason."""
    refreshed("Failed", "Finance 2026")
    jobs = inbox.jobs.claim("host:1:test", 10, 60)
    for job in jobs:
        inbox.dead_letters.dead_letter(job, "channel_not_found")
    (record,) = inbox.incidents.list()
    (unsent,) = story(flask, record.id)["unsent"]
    assert "dead: channel_not_found" in unsent["reason"]


def test_unknown_incident(flask: Run) -> None:
    """A wrong number is a sentence with exit code 1."""
    result = flask("incidents", "show", 99)
    assert (result.exit_code, "Incident 99 not found" in result.stderr) == (1, True)


def test_escalation_that_a_silence_will_hold(flask: Run, inbox: Inbox, number: int) -> None:
    """It says until when it is held after it is due; a silence that ends before does not matter, nor do other rules."""
    register(inbox, number, after=timedelta(hours=3))
    flask("silences", "add", "--project", "Fin*", "--for", "1h", "--reason", "short", "--by", "Ann")
    (unsent,) = story(flask, number)["unsent"]
    assert "held" not in unsent["reason"]
    assert unsent["reason"].startswith("due 20")
    flask("silences", "add", "--project", "Fin*", "--for", "5h", "--reason", "upgrade", "--by", "Ben")
    (unsent,) = story(flask, number)["unsent"]
    held = re.sub(r" 20[\d-]+ [\d:]+", " …", unsent["reason"])
    assert held == "due …, held until … by silence 2 by Ben (upgrade), if it is still open and not acknowledged"
