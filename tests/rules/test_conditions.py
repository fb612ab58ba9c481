"""Patterns and conditions: what matches, what does not, and the reason in words."""

from __future__ import annotations

import json
import time

import pytest

from webhooks.event import Event, parse
from webhooks.rules.conditions import ConditionError, EventFilter, Where, match_values, matches, parse_patterns


def event(event_type: str = "WorkbookCreated", **fields: object) -> Event:
    payload = {"event_type": event_type, "resource": "WORKBOOK", "resource_name": "Sales", **fields}
    made = parse(json.dumps(payload).encode())
    assert made
    return made


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
def test_glob_fits(patterns: tuple[str, ...], value: str, expected: bool) -> None:
    """Only * and ? are special, case does not count, and a leading ! refuses."""
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
def test_list_fits_when_one_fits_and_none_is_refused(
    patterns: tuple[str, ...], values: list[object], expected: bool
) -> None:
    """Of several values, as tags are, one has to fit and none may be refused."""
    assert matches(patterns, values) is expected


def test_glob_with_many_stars_is_quick() -> None:
    """A long name cannot make a pattern with many stars run for ever."""
    started = time.perf_counter()
    assert not matches(("*a*a*a*a*a*a*a*a*b",), ["a" * 60_000])
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("patterns", "values", "reason"),
    [
        (("Finance*",), ["Finance"], "project Finance ~ Finance*"),
        (("Finance*",), ["Marketing"], "project is Marketing, not Finance*"),
        (("Finance*", "Sales"), ["Marketing"], "project is Marketing, not Finance* or Sales"),
        (("Finance*",), [], "project is unknown, not Finance*"),
        (("Finance*",), [""], "project is unknown, not Finance*"),
        (("!Sandbox*",), ["Sandbox 1"], "project is Sandbox 1, which !Sandbox* refuses"),
    ],
)
def test_compare_says_why(patterns: tuple[str, ...], values: list[str], reason: str) -> None:
    """A comparison names the value and the pattern."""
    assert match_values("project", patterns, values).reason == reason


def test_where_sets_apart_what_only_tableau_knows() -> None:
    """Conditions on the payload are for planning, those on content for the job; other names for a field are known."""
    where = Where.parse({"name": "Sales*", "site": "6b7a*", "project": ["A", "!B"], "tag": "gold", "certified": True})
    assert where.payload == {"resource_name": ("Sales*",), "site_luid": ("6b7a*",)}
    assert where.tableau == {"project": ("A", "!B"), "tags": ("gold",), "certified": ("true",)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"projekt": "A"}, "projekt is not a condition; did you mean project?"),
        ({"colour": "A"}, "colour is not a condition; choose one of: certified, luid, name, owner, project"),
        ({"project": 7}, "project: 7 should be text in quotes"),
        ({"project": ["A", True]}, "project: True should be text in quotes"),
        ({"project": []}, "project: an empty list matches nothing"),
        ({"project": " "}, "project: an empty text matches nothing"),
        ({"project": "!"}, "project: an empty text matches nothing"),
        ({"certified": "yes"}, "certified is true or false, without quotes"),
        ({"tag": "a", "tags": "b"}, "tags stands twice"),
        ({"projekt": "A", "ownr": "B"}, "did you mean owner?"),
    ],
)
def test_where_refuses_with_what_would_be_right(given: dict[str, object], message: str) -> None:
    """Every fault of the conditions is named together with what would have been right."""
    with pytest.raises(ConditionError) as caught:
        Where.parse(given)
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
    ],
)
def test_trigger_judges_event_types(on: str | list[str], event_type: str, expected: bool) -> None:
    """Event types are patterns as well, for events that nobody knows yet too."""
    assert EventFilter(parse_patterns(on)).match(event(event_type)).matched is expected


@pytest.mark.parametrize(
    ("where", "matched", "reason"),
    [
        ({}, True, "one of its events"),
        ({"name": "S*"}, True, "resource_name Sales ~ S*"),
        ({"name": "X*"}, False, "resource_name is Sales, not X*"),
        ({"name": "S*", "project": "Finance*"}, True, "resource_name Sales ~ S*; if project ~ Finance*"),
        ({"name": "X*", "project": "Finance*"}, False, "resource_name is Sales, not X*"),
        ({"luid": "0*", "site": "1*"}, False, "resource_luid is unknown, not 0*; site_luid is unknown, not 1*"),
    ],
)
def test_trigger_gives_its_reason(where: dict[str, str], matched: bool, reason: str) -> None:
    """A verdict says which condition decided, and which are left to the job."""
    finding = EventFilter(("Workbook*",), Where.parse(where)).match(event())
    assert (finding.matched, finding.reason) == (matched, reason)


@pytest.mark.parametrize("name", [None, 7, ["a"], {"b": 1}, True, 1.5])
def test_trigger_bears_any_json_in_a_field(name: object) -> None:
    """Whatever JSON value stands in a payload's field, judging it raises nothing."""
    EventFilter(("*",), Where.parse({"name": "x*"})).match(event(resource_name=name))


@pytest.mark.parametrize(
    ("on", "where", "warnings"),
    [
        ("WorkbookCreated", {}, []),
        ("WorkbokCreated", {}, ["WorkbokCreated is not an event type known so far; did you mean WorkbookCreated?"]),
        ("FlowCompleted", {}, ["FlowCompleted is not an event type known so far"]),
        ("Metric*", {}, ["Metric* matches none of the event types known so far"]),
        (["*", "!WorkbokCreated"], {}, ["WorkbokCreated is not an event type known so far; did you mean"]),
        ("WorkbookDeleted", {"project": "A"}, ["WorkbookDeleted: project cannot be looked up, it is gone by then"]),
        ("AdminPromoted", {"owner": "A", "tag": "b"}, ["AdminPromoted: owner and tags cannot be looked up, it has"]),
        ("LabelDeleted", {"project": "A"}, []),
        ("*Created", {"project": "A"}, []),
        ("*Deleted", {"project": "A", "name": "B"}, []),
        ("Site*", {"project": "A"}, ["SiteCreated: project", "SiteUpdated: project", "SiteDeleted: project"]),
    ],
)
def test_trigger_warns_of_what_is_probably_not_meant(
    on: str | list[str], where: dict[str, str], warnings: list[str]
) -> None:
    """An event type that is in no catalogue, or a condition that can never hold, is a warning and no error."""
    found = EventFilter(parse_patterns(on), Where.parse(where)).warnings()
    assert len(found) == len(warnings)
    assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True))
