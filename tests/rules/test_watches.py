"""Test that `[[watch]]` tables are checked whole, with lines and suggestions, and notify whom they name."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from webhooks import rules
from webhooks.event import MONITOR, build
from webhooks.handlers.notify import NotifyParams
from webhooks.planner import Planner
from webhooks.registry import Registry
from webhooks.rules import Rules, RulesError

RULE = '[[rule]]\nname = "R"\non = "*RefreshFailed"\nwhere = { project = "Finance*" }\nnotify = "slack:#finance"\n'


def parse(text: str) -> Rules:
    return rules.parse(text, {"notify": NotifyParams})


def planned(text: str, **fields: str) -> list[tuple[str, str]]:
    """Return the rule and the destination of each job for a missed refresh."""
    event = build(
        "RefreshMissed", origin=MONITOR, resource="WORKBOOK", resource_name="Sales", resource_luid="w", **fields
    )
    jobs = Planner(parse(text), Registry()).jobs(event)
    return [(job.rule or "", str(job.params.get("to"))) for job in jobs]


def test_whole_watch() -> None:
    """All keys are read; named destinations and the messages' own keys are those of rules."""
    (one,) = parse(
        '[destinations]\nbi = ["slack:#bi", "slack:#ops"]\n[[watch]]\nname = "Morning"\nwhere = { tags = "morning" }\n'
        'fresh_by = "07:30"\ndays = "mon-fri"\nwithin = "8h"\nlonger_than = "2h"\nnotify = "bi"\nrepeat = "4h"\n'
    ).watches
    assert (one.name, one.fresh_by, one.days) == ("Morning", time(7, 30), frozenset(range(5)))
    assert (one.within, one.longer_than) == (timedelta(hours=8), timedelta(hours=2))
    assert [(action.label, action.params["repeat"]) for action in one.actions] == [
        ("slack:#bi", "4h"),
        ("slack:#ops", "4h"),
    ]
    assert dict(one.where.tableau) == {"tags": ("morning",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('fresh_by = "25:00"', "(line 3): fresh_by: '25:00' is not a time of day"),
        ('fresh_buy = "07:30"', "(line 3): fresh_buy is not known; did you mean fresh_by?"),
        ('fresh_by = "07:30"\ndays = "mo-fr"', "(line 4): days: 'mo-fr' is not a weekday"),
        ('days = "mon"\nnotify = "slack"', "(line 3): days is about fresh_by; add it"),
        ('longer_than = "two hours"', "(line 3): longer_than: 'two hours' is not a duration"),
        ('where = { tag = "x" }', "(line 1): declares nothing; add fresh_by"),
        ('fresh_by = "07:30"\nwhere = { tagz = "x" }', "(line 4): where: tagz is not a condition; did you mean tag?"),
        ('fresh_by = "07:30"\nnotify = "slck:#bi"', "(line 4): notify: to: 'slck:#bi' is not a destination"),
        ('fresh_by = "07:30"\nrepeat = "4h"', "(line 4): repeat is about messages; add notify, or remove it"),
        ('fresh_by = "07:30"\nwhere = { reason = "x" }', "(line 4): where: reason is not about content"),
        ('fresh_by = "07:30"\ntag = "late"', "(line 4): tag is not known"),
    ],
)
def test_errors_have_lines_and_suggestions(text: str, message: str) -> None:
    """Each error names the watch, the line of the key, and what is expected."""
    with pytest.raises(RulesError) as caught:
        parse(f'[[watch]]\nname = "Morning"\n{text}\n')
    assert 'watch 1 "Morning"' in str(caught.value)
    assert message in str(caught.value)


def test_errors_about_the_tables() -> None:
    """A watch without a name, two of one name, and one bracket are reported."""
    for text, message in (
        ('[[watch]]\nfresh_by = "07:30"\n', "name is missing"),
        ('[[watch]]\nname = "A"\nnotify = "slack"\n' * 2, "has the same name; give each watch its own"),
        ('[watch]\nname = "A"\n', "write [[watch]], with two brackets on each side, above each watch"),
    ):
        with pytest.raises(RulesError, match=message.replace("[", r"\[").replace("]", r"\]")):
            parse(text)


def test_probable_mistakes_are_warnings() -> None:
    """Conditions that can never hold are warned of, as in rules, and a file with only a watch is not empty."""
    parsed = parse('[[watch]]\nname = "A"\nwhere = { project = " Finance" }\nnotify = "slack"\n')
    (warning,) = parsed.warnings
    assert warning.startswith('watch 1 "A" (line 3)')
    assert "slack" in parsed.destinations


def test_destinations_of_failures_by_default() -> None:
    """Findings go where failures of the content go; a rule can be left out with watch = false."""
    assert planned(RULE) == [("R", "slack:#finance")]
    assert planned(RULE + "watch = false\n") == []
    assert planned(RULE.replace("*RefreshFailed", "*Created")) == []


def test_watch_without_a_time_adds_destinations() -> None:
    """A watch that only names destinations is notified of all that is found about its content."""
    watch = '[[watch]]\nname = "All"\nwhere = { name = "Sal*" }\nnotify = "slack:#ops"\n'
    assert planned(RULE + watch) == [("R", "slack:#finance"), ("All", "slack:#ops")]
    assert planned(RULE + watch.replace("Sal*", "Orders")) == [("R", "slack:#finance")]
    assert planned(RULE + watch + "enabled = false\n") == [("R", "slack:#finance")]


def test_declared_time_notifies_its_own_destinations() -> None:
    """Findings of a declaration go to its destinations alone; without any, to those of the failures."""
    watch = '[[watch]]\nname = "Morning"\nfresh_by = "07:30"\n'
    assert planned(RULE + watch + 'notify = "slack:#bi"\n', watch="Morning") == [("Morning", "slack:#bi")]
    assert planned(RULE + watch, watch="Morning") == [("R", "slack:#finance")]
    assert planned(RULE + watch + 'notify = "slack:#bi"\n') == [("R", "slack:#finance")]
    assert planned(RULE, watch="Gone") == [("R", "slack:#finance")]
