"""Findings of checks: the evidence of incidents that are not about runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhooks.event import MONITOR, build
from webhooks.inbox import Inbox
from webhooks.incidents import Act, DestinationPolicy, Finding, Policy

START = datetime(2026, 1, 31, 2, 10, tzinfo=UTC)
RESOURCE = "webhooks"


@dataclass
class Check:
    """A check that finds problems in an inbox, on a clock of its own."""

    inbox: Inbox
    now: datetime = START

    def find(self, minutes: float, title: str = "", *, event: bool = False, **finding: Any) -> None:
        """Record a problem with this title at that time; without a title, that there is none."""
        self.now = START + timedelta(minutes=minutes)
        alert = build("WebhooksDrifted", origin=MONITOR, resource_name=title, resource_luid=f"monitor-{minutes}")
        found = Finding.of_check(RESOURCE, self.now, problem=bool(title), name=title, **finding)
        self.inbox.findings.record("webhook", found, alert if event else None)

    @property
    def states(self) -> list[str]:
        return [record.incident.state for record in self.inbox.incidents.list()]


@pytest.fixture
def check(url: str) -> Iterator[Check]:
    found: list[Check] = []
    box = Inbox.open(url, clock=lambda: found[0].now.timestamp() if found else START.timestamp())
    found.append(Check(box))
    yield found[0]
    box.close()


def test_problem_opens_one_incident_and_the_all_clear_closes_it(check: Check) -> None:
    """Further findings change it; its reason is that of the last problem, its cure the text of the all-clear."""
    check.find(0, "1 webhook disabled", reason="too many failures")
    check.find(5, "2 webhooks disabled", reason="still", number=2)
    (record,) = check.inbox.incidents.list()
    assert (record.incident.kind, record.incident.state, record.incident.failures) == ("webhook", "open", 3)
    assert check.inbox.findings.open_since("webhook", RESOURCE) == START
    check.find(12, reason="enabled again")
    incident = check.inbox.incidents.get(record.id).incident
    assert (incident.state, incident.resource_name, incident.reason) == ("closed", "2 webhooks disabled", "still")
    assert incident.cure
    assert (incident.cure.kind, incident.cure.text) == ("finding", "enabled again")
    assert check.inbox.findings.open_since("webhook", RESOURCE) is None


def test_all_clear_without_a_problem_changes_nothing(check: Check) -> None:
    """A check may say at any time that all is well."""
    check.find(0)
    assert check.states == []


def test_problem_that_comes_back_is_the_same_incident_within_half_an_hour(check: Check) -> None:
    """Later it is a new one."""
    check.find(0, "1 webhook disabled")
    check.find(5)
    check.find(20, "1 webhook disabled")
    assert [one.incident.flapping for one in check.inbox.incidents.list()] == [True]
    check.find(25)
    check.find(90, "1 webhook disabled")
    assert check.states == ["open", "closed"]


def test_order_in_which_findings_are_recorded_does_not_matter(check: Check) -> None:
    """The last finding by its time decides, as for runs."""
    check.find(10)
    check.find(0, "1 webhook disabled")
    assert check.states == ["closed"]


def test_incident_can_be_acknowledged_and_closed_by_hand(check: Check) -> None:
    """A closed one opens again only by a new finding."""
    check.find(0, "1 webhook disabled")
    (record,) = check.inbox.incidents.list()
    check.now += timedelta(minutes=1)
    check.inbox.incidents.act(record.id, Act("", "acknowledge", "", check.now, "Ann"))
    assert check.states == ["acknowledged"]
    check.now += timedelta(minutes=1)
    check.inbox.incidents.act(record.id, Act("", "close", "", check.now, "Ann"))
    assert check.states == ["closed"]
    check.find(5, "2 webhooks disabled")
    assert check.states == ["open"]


def test_event_and_finding_are_stored_together_and_change_the_notices(check: Check) -> None:
    """A change adds a job for each notice to the last event of the incident."""
    check.find(0, "1 webhook disabled", event=True)
    (record,) = check.inbox.incidents.list()
    (event,) = check.inbox.events.list()
    assert record.event_id == event.event.id
    notice = check.inbox.notices.register(
        record.id, "slack:#ops", Policy("monitor", (DestinationPolicy("slack:#ops"),))
    )
    check.find(5, reason="enabled again")
    (job,) = [one.job for one in check.inbox.events.list()[0].jobs]
    assert (job.handler, job.params["notice"]) == ("notice", notice.id)


def test_worse_problem_is_raised_once(check: Check) -> None:
    """A level that was reached before alerts no one again."""
    for minutes, level in enumerate((1, 2, 1, 2, 3)):
        check.find(minutes, "1 webhook disabled", reason=f"level {level}", level=level)
    (record,) = check.inbox.incidents.list()
    raised = check.inbox.incidents.get(record.id).incident.raised
    assert [text for _, text in raised] == ["level 2", "level 3"]


def test_old_findings_are_deleted_with_their_incident(check: Check) -> None:
    """Those of an incident that is stored are its history."""
    check.find(0, "1 webhook disabled")
    check.find(5)
    later = (START + timedelta(days=500)).timestamp()
    assert check.inbox.findings.delete_before(later) == 0
    assert check.inbox.incidents.delete_before(later) == 1
    assert check.inbox.findings.delete_before(later) == 2
    assert check.inbox.findings.last("webhook", RESOURCE) is None
