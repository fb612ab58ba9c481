"""Test incidents and silences in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from webhooks.incidents import Act, Incident, Silence, WeeklyPeriod
from webhooks.views import incident_wording, silence_wording

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
INCIDENT = Incident(
    id="a",
    ids=frozenset({"a"}),
    kind="failing",
    state="open",
    site_luid="s",
    resource_luid="r",
    resource_kind="workbook",
    resource_name="Sales",
    opened_at=NOW - timedelta(hours=2, minutes=14),
    closed_at=None,
    recorded_at=NOW,
    failures=3,
    in_a_row=3,
)


def when(moment: datetime) -> str:
    return f"{moment:%H:%M}"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "3 failures in a row"),
        ({"failures": 1, "in_a_row": 1}, "1 failure"),
        ({"failures": 7, "in_a_row": 2}, "7 failures, 2 in a row"),
        ({"flapping": True}, "3 failures in a row, flapping"),
        ({"failures": 0, "in_a_row": 0}, ""),
    ],
)
def test_failures(changes: dict[str, object], text: str) -> None:
    """The failures in a row are those that Tableau counts."""
    assert incident_wording.failures(replace(INCIDENT, **changes)) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "not acknowledged"),
        ({"state": "acknowledged", "quiet_by": "Ann"}, "acknowledged by Ann"),
        ({"state": "snoozed", "quiet_by": "Ann", "quiet_until": NOW}, "snoozed by Ann until 12:00"),
        ({"state": "closed", "closed_at": NOW}, ""),
    ],
)
def test_acknowledgement(changes: dict[str, object], text: str) -> None:
    """A closed incident needs no one."""
    assert incident_wording.acknowledgement(replace(INCIDENT, **changes), when) == text  # type: ignore[arg-type]


def test_period() -> None:
    """An open incident has an age, a closed one a length."""
    assert incident_wording.period(INCIDENT, NOW, when) == "09:46 (2 h 14 min)"
    closed = replace(INCIDENT, state="closed", closed_at=NOW - timedelta(hours=2))
    assert incident_wording.period(closed, NOW, when) == "09:46 to 10:00 (14 min)"


def test_reason_has_its_class() -> None:
    """Of a class that is unknown, nothing is said."""
    assert incident_wording.reason(replace(INCIDENT, reason="no route", reason_class="network")) == "network: no route"
    assert incident_wording.reason(replace(INCIDENT, reason="???", reason_class="unknown")) == "???"
    assert incident_wording.reason(INCIDENT) == ""


def test_acts() -> None:
    """An act has its author, end, job and text."""
    act = Act("1", "acknowledge", "a", NOW, "Ann", NOW, "on it")
    assert incident_wording.describe_act(act, when) == "acknowledged by Ann until 12:00: on it"
    refresh = Act("1", "refresh", "a", NOW, "Ann", job_luid="j")
    assert incident_wording.describe_act(refresh, when) == "refresh started by Ann (Tableau job j)"


def test_silences() -> None:
    """A silence says what it matches and when; weekly times have their days."""
    silence = Silence("1", NOW, NOW + timedelta(hours=2), "Ann", "upgrade", {"project": ("Fin*", "HR"), "kind": ()})
    assert silence_wording.matchers(silence) == "project=Fin*,HR"
    assert silence_wording.period(silence, when) == "12:00 to 14:00"
    assert [silence_wording.state(silence, NOW + timedelta(hours=at)) for at in (-1, 1, 2)] == [
        "waiting",
        "active",
        "ended",
    ]
    weekly = WeeklyPeriod(time(22), time(6), frozenset({5, 6}), UTC)
    nightly = replace(silence, end=None, matchers={}, weekly=weekly)
    assert silence_wording.matchers(nightly) == "everything"
    assert silence_wording.period(nightly, when) == "sat,sun 22:00-06:00 from 12:00"
