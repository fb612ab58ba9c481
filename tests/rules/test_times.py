"""Conditions on the day and the hour of an event."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from webhooks.event import parse
from webhooks.rules.conditions import ConditionError, Where

ZURICH = ZoneInfo("Europe/Zurich")


def holds(where: dict[str, object], at: str) -> bool:
    event = parse(json.dumps({"event_type": "WorkbookCreated", "created_at": at}).encode())
    assert event
    return Where.parse(where).match(event, ZURICH).matched


@pytest.mark.parametrize(
    ("where", "at", "expected"),
    [
        # 30 January 2026 is a Friday; Zürich is an hour ahead of UTC in winter and two in summer.
        ({"day": "fri"}, "2026-01-30T22:59:59Z", True),
        ({"day": "fri"}, "2026-01-30T23:00:00Z", False),
        ({"day": "mon-fri"}, "2026-01-30T12:00:00Z", True),
        ({"day": ["sat", "sun"]}, "2026-01-30T12:00:00Z", False),
        ({"day": "!fri"}, "2026-01-30T12:00:00Z", False),
        ({"day": ["mon-fri", "!wed"]}, "2026-01-30T12:00:00Z", True),
        ({"hour": 8}, "2026-01-30T07:59:59Z", True),
        ({"hour": 8}, "2026-07-30T06:00:00Z", True),
        ({"hour": 8}, "2026-01-30T08:00:00Z", False),
        ({"hour": "8-17"}, "2026-01-30T16:59:00Z", True),
        ({"hour": "8-17"}, "2026-01-30T17:00:00Z", False),
        ({"hour": "22-5"}, "2026-01-30T22:00:00Z", True),
        ({"hour": "22-5"}, "2026-01-30T04:59:00Z", True),
        ({"hour": "22-5"}, "2026-01-30T05:00:00Z", False),
        ({"hour": "08:30-17:00"}, "2026-01-30T07:30:00Z", True),
        ({"hour": "08:30-17:00"}, "2026-01-30T16:00:00Z", False),
        ({"hour": ["0-6", "20-23", "!21"]}, "2026-01-30T20:30:00Z", False),
        ({"hour": ["0-6", "20-23", "!21"]}, "2026-01-30T19:30:00Z", True),
        ({"hour": "0-23", "day": "fri"}, "yesterday", False),
        ({"day": ["Monday", "Thursday - Saturday"]}, "2026-01-30T12:00:00Z", True),
        ({"day": "!Friday"}, "2026-01-30T12:00:00Z", False),
    ],
)
def test_times_are_those_of_the_zone(where: dict[str, object], at: str, expected: bool) -> None:
    """The time of the event counts, not that of its processing; without one, no time matches."""
    assert holds(where, at) is expected


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ({"day": "weekend"}, "day: 'weekend' is not a weekday; did you mean \"sat,sun\"?"),
        ({"day": 1}, "day: 1 should be text in quotes"),
        ({"hour": 24}, "hour: '24' is not an hour; write 8"),
        ({"hour": "8:00"}, "hour: '8:00' is not an hour"),
        ({"hour": ["8-9", "9-25"]}, "hour: '9-25' is not an hour"),
        ({"hour": "09:00-09:00"}, "hour: '09:00-09:00' is not an hour"),
        ({"failures": 0}, "failures: '0+' is not a number"),
        ({"failures": "3-2"}, "failures: '3-2' is not a number"),
        ({"failures": "many"}, "failures: 'many' is not a number"),
        ({"any": []}, "any: should be a list of tables"),
        ({"any": [{}]}, "any: an empty table always holds"),
        ({"any": [{"colour": "red"}]}, "any: colour is not a condition"),
    ],
)
def test_invalid_values_are_errors(where: dict[str, object], error: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ConditionError) as caught:
        Where.parse(where)
    assert error in str(caught.value)
