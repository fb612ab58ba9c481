"""The keys of a rule that say when a destination is notified of a failing refresh."""

from __future__ import annotations

import re
from datetime import UTC, time, timedelta

import pytest

from webhooks import rules
from webhooks.registration import desired_event_types
from webhooks.registry import registry
from webhooks.rules import RulesError
from webhooks.rules.policy import parse_days, parse_duration, parse_weekly, with_shared_keys

RULE = '[[rule]]\nname = "R"\non = "WorkbookRefreshFailed"\n'


@pytest.fixture(scope="module", autouse=True)
def _handlers() -> None:
    registry.load()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", timedelta(minutes=30)),
        ("90 min", timedelta(minutes=90)),
        ("4h", timedelta(hours=4)),
        ("2D", timedelta(2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    """Seconds, minutes, hours and days are written with their first letter."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "30", "0m", "-1h", "1w", "61d", "h", "1.5h", "9999999999d"])
def test_durations_that_cannot_be_meant_are_refused(text: str) -> None:
    """A duration without a unit, of nothing, or beyond 60 days is refused with valid ones."""
    with pytest.raises(ValueError, match='write for example "30m", "4h" or "2d"'):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("mon-fri", range(5)), ("sat,sun", (5, 6)), ("fri-mon", (4, 5, 6, 0)), (["tue"], (1,)), ("", range(7))],
)
def test_days(text: object, expected: range) -> None:
    """Days are a range, a list or, if they are left out, all of them; a range may pass the end of the week."""
    assert parse_days(text) == frozenset(expected)


def test_weekly_hours() -> None:
    """Hours have a beginning, an end and days."""
    weekly = parse_weekly({"from": "22:00", "to": "6:30", "days": "mon-fri"}, UTC)
    assert (weekly.start, weekly.end, weekly.days) == (time(22), time(6, 30), frozenset(range(5)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('notify = { to = "slack", after = "soon" }', "'soon' is not a duration"),
        ('notify = { to = "slack", failures = 0 }', "failures"),
        ('notify = { to = "slack", mention = "all of you" }', "is not a mention"),
        ('quiet = "at night"\nnotify = "slack"', 'write hours as { from = "22:00", to = "06:30", days = "mon-fri" }'),
        ('quiet = { from = "25:00", to = "06:30" }\nnotify = "slack"', "hours are written as 06:30 or 22:00"),
        ('quiet = { from = "06:30", to = "06:30" }\nnotify = "slack"', "from and to are the same time"),
        ('quiet = { from = "22:00", to = "06:30", days = "weekdays" }\nnotify = "slack"', "is not a weekday"),
        ('repeat = "4 hours"\nnotify = "slack"', "'4 hours' is not a duration"),
        ('repeat = "1s"\nnotify = "slack"', "'1s' is less than a minute"),
        ('repeat = "4h"\ntag = "x"', "repeat is about messages; add notify, or remove it"),
        ('notify = { to = "slack", each = "yes please" }', "each"),
        ('notify = "owners"', "or default, owner or project_owner"),
    ],
)
def test_policies_that_cannot_be_meant_are_refused(line: str, expected: str) -> None:
    """Each mistake is reported with what would be right."""
    with pytest.raises(RulesError) as caught:
        rules.parse(RULE + line, registry.actions)
    assert expected in str(caught.value)


def test_keys_of_the_rule_hold_for_all_its_destinations() -> None:
    """A destination that gives a key itself keeps its own."""
    value = ["slack:#a", {"to": "slack:#b", "repeat": "1h"}]
    assert with_shared_keys(value, {"repeat": "4h"}) == [
        {"to": "slack:#a", "repeat": "4h"},
        {"to": "slack:#b", "repeat": "1h"},
    ]
    assert with_shared_keys(True, {"each": True}) == {"each": True}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('each = true\nrepeat = "4h"\nnotify = "slack"', ["repeat (5)"]),
        ('each = true\nnotify = { to = "slack", after = "1h", failures = 2 }', ["failures (5)", "after (5)"]),
        ('notify = [\n"console",\n{ to = "slack", each = true, grace = "5m" }]', ["grace (6)"]),
        ('each = true\nmention = "@here"\nnotify = "slack"', ["mention (5)"]),
        ('each = true\nquiet = { from = "22:00", to = "06:30" }\nnotify = ["slack", "console"]', ["quiet (5)"]),
        # A destination may differ from its rule.
        ('repeat = "4h"\nnotify = ["slack", { to = "console", each = true }]', []),
        ('each = true\nnotify = ["slack", { to = "console", each = false, after = "1h" }]', []),
        ('each = true\nrepeat = "4h"\nnotify = { to = "slack", each = false }', []),
        # What a watch finds is one problem, of which a rule with `each` is notified as others are.
        ('each = true\nrepeat = "4h"\nnotify = "slack"\n[[watch]]\nname = "W"\nfresh_by = "07:30"', []),
        (
            'each = true\nrepeat = "4h"\nwatch = false\nnotify = "slack"\n[[watch]]\nname = "W"\nfresh_by = "07:30"',
            ["repeat (5)"],
        ),
    ],
)
def test_keys_without_effect_are_warnings(lines: str, expected: list[str]) -> None:
    """With `each`, every failure is sent at once: a key that says when to notify is reported, with its line."""
    found = rules.parse(RULE + lines, registry.actions).warnings
    reason = "has no effect with each = true: each failure has its own message, sent at once"
    warning = re.compile(rf'rule 1 "R" \(line (\d+)\): (\w+) {reason}')
    assert [f"{match[2]} ({match[1]})" for match in map(warning.fullmatch, found) if match] == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('notify = "slack"', ("WorkbookRefreshFailed", "WorkbookRefreshStarted", "WorkbookRefreshSucceeded")),
        ('each = true\nnotify = "slack"', ("WorkbookRefreshFailed",)),
        ("refresh = true", ("WorkbookRefreshFailed",)),
    ],
)
def test_incidents_need_the_webhooks_of_starts_and_successes(line: str, expected: tuple[str, ...]) -> None:
    """A rule that notifies of incidents also needs to learn when a refresh begins and succeeds."""
    assert desired_event_types(rules.parse(RULE + line, registry.actions).event_filters) == expected
