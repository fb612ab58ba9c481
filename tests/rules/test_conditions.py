"""Patterns and conditions: what matches, what does not, and the reason in words."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from webhooks.event import Event
from webhooks.patterns import matches
from webhooks.rules.conditions import ConditionError, EventFilter, Where, parse_patterns
from webhooks.rules.matching import match_values


@pytest.mark.parametrize(
    ("patterns", "value", "expected"),
    [
        (("Finance",), "Finance", True),
        (("finance",), "FINANCE", True),
        (("Finance",), "Finance 2", False),
        (("Finance*",), "Finance/Reports", True),
        (("*Reports",), "Finance/Reports", True),
        (("F?nance",), "Finance", True),
        (("Sales [EU]",), "Sales [EU]", True),
        (("Sales [EU]",), "Sales E", False),
        (("Umsätze*",), "UMSA\u0308TZE 2026", True),
        (("a", "b*"), "bcd", True),
        (("a", "b*"), "cd", False),
        (("!Sandbox*",), "Finance", True),
        (("!Sandbox*",), "sandbox of Ann", False),
        (("F*", "!*Old"), "Finance", True),
        (("F*", "!*Old"), "Finance Old", False),
        (("*",), "", True),
        (("line*",), "line\nbreak", True),
        (("a.c",), "abc", False),
    ],
)
def test_patterns_match_a_value(patterns: tuple[str, ...], value: str, expected: bool) -> None:
    """Only * and ? are special, case is ignored, and a leading ! excludes."""
    assert matches(patterns, [value]) is expected


@pytest.mark.parametrize(
    ("patterns", "values", "expected"),
    [
        (("gold",), ["silver", "gold"], True),
        (("gold",), ["silver"], False),
        (("gold",), [], False),
        (("!draft",), [], True),
        (("!draft",), ["gold", "Draft"], False),
        (("gold", "!draft"), ["gold", "draft"], False),
        (("gold",), [None], False),
        (("7",), [7], True),
    ],
)
def test_patterns_match_several_values(patterns: tuple[str, ...], values: list[object], expected: bool) -> None:
    """Of several values, such as tags, one must match and none may be excluded."""
    assert matches(patterns, values) is expected


def test_pattern_with_many_stars_is_fast() -> None:
    """A long name cannot make a pattern with many stars run forever."""
    started = time.process_time()
    assert not matches(("*a*a*a*a*a*a*a*a*b",), ["a" * 60_000])
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("patterns", "values", "reason"),
    [
        (("Finance*",), ["Finance"], "project Finance ~ Finance*"),
        (("Finance*",), ["Marketing"], "project is Marketing, not Finance*"),
        (("Finance*", "Sales"), ["Marketing"], "project is Marketing, not Finance* or Sales"),
        (("Finance*",), [], "project is unknown, not Finance*"),
        (("Finance*",), [""], "project is unknown, not Finance*"),
        (("!Sandbox*",), ["Sandbox 1"], "project is Sandbox 1, excluded by !Sandbox*"),
        (("!Sandbox*", "!Old*"), ["Sandbox 1"], "project is Sandbox 1, excluded by !Sandbox*"),
        (("(none)",), [], "project unknown ~ (none)"),
        (("!(none)",), [], "project is unknown, excluded by !(none)"),
        (("(none)",), ["Finance"], "project is Finance, not (none)"),
        (
            ("!Sandbox*",),
            [],
            'project is unknown: without a value, not Sandbox* does not hold; "(none)" would match',
        ),
    ],
)
def test_reason_names_value_and_pattern(patterns: tuple[str, ...], values: list[str], reason: str) -> None:
    """The reason names the value and the pattern that decided, for a match and for a mismatch."""
    assert match_values("project", patterns, values).reason == reason


def test_conditions_are_divided_into_payload_and_tableau() -> None:
    """Conditions on the payload are for planning, those on the content for the job; aliases are accepted."""
    where = Where.parse({"name": "Sales*", "site": "6b7a*", "project": ["A", "!B"], "tag": "gold", "certified": True})
    assert where.payload == {"resource_name": ("Sales*",), "site_luid": ("6b7a*",)}
    assert where.tableau == {"project": ("A", "!B"), "tags": ("gold",), "certified": ("true",)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"projekt": "A"}, "projekt is not a condition; did you mean project?"),
        ({"colour": "A"}, "colour is not a condition; choose one of: any, certified, content_type, day"),
        ({"project": 7}, "project: 7 should be text in quotes"),
        ({"project": ["A", True]}, "project: True should be text in quotes"),
        ({"project": []}, "project: an empty list matches nothing"),
        ({"project": " "}, "project: an empty text matches nothing"),
        ({"project": "!"}, "project: an empty text matches nothing"),
        ({"certified": "yes"}, "certified: should be true or false, without quotes"),
        ({"tag": "a", "tags": "b"}, "tags is given twice"),
        ({"projekt": "A", "ownr": "B"}, "did you mean owner?"),
    ],
)
def test_invalid_conditions_are_rejected(table: dict[str, object], message: str) -> None:
    """Every error is reported together with what is expected."""
    with pytest.raises(ConditionError) as caught:
        Where.parse(table)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("on", "event_type", "expected"),
    [
        ("WorkbookCreated", "WorkbookCreated", True),
        ("WorkbookCreated", "WorkbookUpdated", False),
        ("workbookcreated", "WorkbookCreated", True),
        ("*RefreshFailed", "DatasourceRefreshFailed", True),
        ("*", "FlowCompleted", True),
        (["*Refresh*", "!*Started"], "WorkbookRefreshStarted", False),
        (["*Refresh*", "!*Started"], "WorkbookRefreshFailed", True),
        # A Bridge refresh is the refresh of a data source, too: one rule gets one event about it.
        ("BridgeRefreshFailed", "BridgeRefreshFailed", True),
        ("*RefreshFailed", "BridgeRefreshFailed", False),
        (["*RefreshFailed", "!Datasource*"], "BridgeRefreshFailed", True),
        # A rule about everything does not mean each successful run of each flow.
        ("*", "FlowRunFailed", True),
        ("*", "FlowRunSucceeded", False),
        ("*Succeeded", "FlowRunSucceeded", False),
        ("flow*", "FlowRunSucceeded", True),
        (["*", "FlowRunSucceeded"], "FlowRunSucceeded", True),
    ],
)
def test_event_types_are_patterns(
    on: str | list[str], event_type: str, expected: bool, event: Callable[..., Event]
) -> None:
    """They match unknown event types, too."""
    assert EventFilter(parse_patterns(on)).match(event(event_type)).matched is expected


@pytest.mark.parametrize(
    ("where", "matched", "reason"),
    [
        ({}, True, "event type matches"),
        ({"name": "S*"}, True, "resource_name Sales ~ S*"),
        ({"name": "X*"}, False, "resource_name is Sales, not X*"),
        ({"name": "S*", "project": "Finance*"}, True, "resource_name Sales ~ S*; if project ~ Finance*"),
        ({"name": "X*", "project": "Finance*"}, False, "resource_name is Sales, not X*"),
        (
            {"luid": "!0*"},
            False,
            'resource_luid is unknown: without a value, not 0* does not hold; "(none)" would match',
        ),
        ({"luid": "0*", "site": "1*"}, False, "resource_luid is unknown, not 0*; site_luid is unknown, not 1*"),
    ],
)
def test_reason_names_all_conditions(
    where: dict[str, str], matched: bool, reason: str, event: Callable[..., Event]
) -> None:
    """The reason says which condition decided, and which ones the job checks."""
    match = EventFilter(("Workbook*",), Where.parse(where)).match(event())
    assert (match.matched, match.reason) == (matched, reason)


@pytest.mark.parametrize("name", [None, 7, ["a"], {"b": 1}, True, 1.5])
def test_any_json_value_can_be_compared(name: object, event: Callable[..., Event]) -> None:
    """A payload whose field is not text raises nothing."""
    EventFilter(("*",), Where.parse({"name": "x*"})).match(event(resource_name=name))


@pytest.mark.parametrize(
    ("on", "where", "warnings"),
    [
        ("WorkbookCreated", {}, []),
        ("WorkbokCreated", {}, ["WorkbokCreated is not a known event type; did you mean WorkbookCreated?"]),
        ("FlowCompleted", {}, ["FlowCompleted is not a known event type"]),
        ("Metric*", {}, ["Metric* matches no known event type"]),
        (["*", "!WorkbokCreated"], {}, ["WorkbokCreated is not a known event type; did you mean"]),
        (
            "WorkbookDeleted",
            {"project": "A"},
            ["WorkbookDeleted: project cannot be looked up, because the content no longer exists"],
        ),
        (
            "AdminPromoted",
            {"owner": "A", "tag": "b"},
            ["AdminPromoted: owner and tags cannot be looked up, because these events have none"],
        ),
        ("LabelDeleted", {"project": "A"}, []),
        ("*Created", {"project": "A"}, []),
        ("*Deleted", {"project": "A", "name": "B"}, []),
        ("Site*", {"project": "A"}, ["SiteCreated: project", "SiteUpdated: project", "SiteDeleted: project"]),
    ],
)
def test_probable_mistakes_are_warnings(on: str | list[str], where: dict[str, str], warnings: list[str]) -> None:
    """An unknown event type, or a condition that can never hold, is a warning and not an error."""
    found = EventFilter(parse_patterns(on), Where.parse(where)).warnings()
    assert len(found) == len(warnings)
    assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True))
