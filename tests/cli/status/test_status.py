"""Test `flask status`: everything that is broken on one screen, and an exit code for scripts."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from typing import Any

import pytest

from tests.cli.conftest import Refreshed, Run
from tests.support.pseudo_terminal import terminal_session
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.event_types import WEBHOOKS_DRIFTED
from webhooks.inbox import Inbox, ResourceDetails
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.incidents import Act, DestinationPolicy, IncidentFilter, Policy
from webhooks.views.formats import iso

POLICY = Policy(rule="Finance", destinations=(DestinationPolicy("slack:#finance"),))


def acknowledge(inbox: Inbox, name: str, *, by: str = "Ann") -> int:
    """Acknowledge the open incident of that name for two hours, and return its number."""
    (record,) = inbox.incidents.list(IncidentFilter(resources=[name], states=["open"]))
    now = utc_now()
    inbox.incidents.act(record.id, Act("", "acknowledge", "", now, by, now + timedelta(hours=2)))
    return record.id


def test_nothing_is_broken(flask: Run) -> None:
    """Without incidents there is one line, and the exit code is 0."""
    result = flask("status")
    assert result.exit_code == 0
    assert result.stdout == "No open incidents · no refreshes since midnight · webhooks not checked\n"


def test_recovered_refresh_is_not_shown(flask: Run, refreshed: Refreshed) -> None:
    """A closed incident is not broken now."""
    refreshed("Failed", minutes=90)
    refreshed("Succeeded", minutes=30)
    result = flask("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("No open incidents · ")


def test_an_open_incident_has_everything_that_is_known(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """Name, project, age, failures, owner, reason and who was notified are shown, and the exit code is 1."""
    for minutes in (150, 90, 30):
        refreshed("Failed", minutes=minutes)
    (record,) = inbox.incidents.list()
    details = ResourceDetails(
        "Finance/Daily", "Ben (ben@acme.example)", strikes=3, next_run_at=utc_now() + timedelta(hours=1)
    )
    inbox.incidents.save_details(record.id, details)
    notice = inbox.notices.register(record.id, "slack:#finance", POLICY)
    inbox.notices.save(notice, posted={"message": {"channel": "C1", "id": "1.2"}}, shown={"message": 1})
    result = flask("status")
    assert result.exit_code == 1
    _, headings, line, line_of_details = result.stdout.splitlines()
    assert headings.split() == ["ID", "KIND", "NAME", "PROJECT", "SINCE"]
    assert line.split("  ")[:4] == [f" {record.id}", "failing", "Finance 2026", "Finance/Daily"]
    assert "(2 h 30 min)" in line
    assert line_of_details.startswith(
        "    3 failures in a row, strike 3 of 5 · Ben (ben@acme.example) · notified #finance 20"
    )
    assert " · not acknowledged · next run 20" in line_of_details


def test_acknowledged_incidents_count_as_open_and_come_last(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """Data that is stale stays stale while someone works on it, so the exit code is 1."""
    refreshed("Failed", "Old", minutes=600)
    refreshed("Failed", "New", minutes=5)
    acknowledge(inbox, "New")
    result = flask("status")
    assert result.exit_code == 1
    assert result.stdout.startswith("2 open incidents, 1 acknowledged · ")
    assert result.stdout.index("Old") < result.stdout.index("New")
    assert "acknowledged by Ann until " in result.stdout
    acknowledge(inbox, "Old")
    assert flask("status").exit_code == 1


def test_an_acknowledgement_ends_in_time(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """After its end the incident needs someone again, also if no destination is notified of it."""
    refreshed("Failed")
    (record,) = inbox.incidents.list()
    now = utc_now()
    act = Act("", "acknowledge", "", now, "Ann", now + timedelta(milliseconds=50))
    inbox.incidents.act(record.id, act)
    while not inbox.incidents.wake():
        assert utc_now() < now + timedelta(seconds=20)
    assert "acknowledged" not in flask("status").stdout.splitlines()[0]


@pytest.mark.parametrize("checked", [True, False])
def test_webhooks_are_as_the_monitor_last_saw_them(flask: Run, inbox: Inbox, checked: bool) -> None:
    """A recent check without differences means healthy; an old one does not."""
    at = utc_now() - timedelta(minutes=0 if checked else 600)
    inbox.state.set(CHECKED_AT, at.timestamp())
    expected = "webhooks healthy" if checked else "webhooks last checked 10 h ago"
    assert flask("status").stdout.rstrip().endswith(expected)
    inbox.state.set(WEBHOOKS_DRIFTED, ["WorkbookRefreshFailed create is missing"])
    assert flask("status").stdout.rstrip().endswith("1 webhook needs attention")


def test_json_is_one_object(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """`--json` has the figures and the incidents, and the same exit code."""
    refreshed("Failed")
    number = acknowledge(inbox, "Finance 2026")
    result = flask("status", "--json")
    status = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (status["open"], status["acknowledged"], status["snoozed"]) == (1, 1, 0)
    assert status["webhooks"]["state"] == "unknown"
    assert [one["id"] for one in status["incidents"]] == [number]
    assert status["incidents"][0]["acknowledged_by"] == "Ann"


def test_silenced_incidents_are_marked(flask: Run, inbox: Inbox, refreshed: Refreshed) -> None:
    """The silence that ends last is named with its end, also in JSON; those of others and of later are not."""
    refreshed("Failed")
    refreshed("Failed", "Other")
    now = utc_now()
    silenced: dict[str, Any] = {"matchers": {"resource_name": ["Fin*"]}, "reason": "migration"}
    for hours, by in ((5, "Ben"), (2, "Ann")):
        inbox.silences.add(**silenced, start=now - timedelta(1), end=now + timedelta(hours=hours), by=by)
    inbox.silences.add(**silenced, start=now + timedelta(hours=1), end=now + timedelta(1), by="Chloé")
    shown = " ".join(flask("status").stdout.split())
    assert shown.count(", silenced by ") == 1
    assert " · not acknowledged, silenced by Ben until " in shown
    incidents = json.loads(flask("status", "--json").stdout)["incidents"]
    silences = {one["resource_name"]: one["silence"] for one in incidents}
    until = iso(now + timedelta(hours=5))
    assert silences == {
        "Finance 2026": {"id": 1, "by": "Ben", "until": until, "reason": "migration"},
        "Other": None,
    }
    # Of one without an end, there is none.
    inbox.silences.add(**silenced, start=now, end=None, by="Dora")
    assert ", silenced by Dora (silence 4)" in " ".join(flask("status").stdout.split())


def test_status_fits_on_a_terminal(settings: Settings, inbox: Inbox, refreshed: Refreshed) -> None:
    """With 80 columns no line is longer, names are shortened, and NO_COLOR is respected."""
    refreshed("Failed", "Consolidated Month End Close of all Entities and Regions (do not move)", minutes=400)
    (record,) = inbox.incidents.list()
    details = ResourceDetails("Finance/Consolidation/Monthly Reporting", "Benedikta Duarte (ben@acme.example)")
    inbox.incidents.save_details(record.id, details)
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "TABLEAU_DOMAIN": "http://127.0.0.1:9",
        "NO_COLOR": "1",
        "TERM": "xterm",
    }
    with terminal_session("status", environment=environment) as session:
        assert session.wait() == 1
    shown = re.sub(r"\x1b\[[0-9;]*m", "", session.shown)
    assert "failing" in shown
    assert "Consolidated" in shown
    assert re.findall(r"\x1b\[[0-9;]*3[0-7]m", session.shown) == []
    assert max(map(len, shown.splitlines())) <= 80
