"""Patterns that can never match are warnings that say what was probably meant."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from webhooks.patterns import matches
from webhooks.rules import parse
from webhooks.rules.actions import Actions
from webhooks.rules.conditions import EventFilter, Where, parse_patterns

LUID = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"


def warnings(where: dict[str, Any], on: str | list[str] = "WorkbookCreated") -> list[str]:
    return EventFilter(parse_patterns(on), Where.parse(where)).warnings()


@pytest.mark.parametrize(
    ("where", "warning"),
    [
        # Characters that no name has, or that cannot be seen.
        (
            {"project": " Finance"},
            'project: " Finance" begins or ends with a space, which no name does; did you mean "Finance"?',
        ),
        (
            {"tags": ["gold", "! draft"]},
            'tags: " draft" begins or ends with a space, which no name does; did you mean "draft"?',
        ),
        ({"name": "Sales*\t"}, 'resource_name: "Sales*\\t" contains an invisible character at position 7, U+0009'),
        (
            {"name": "Sa\u200bles"},
            'contains an invisible character at position 3, U+200B zero width space; did you mean "Sales"?',
        ),
        (
            {"project": "My\u00a0Team"},
            'a space of another kind at position 3, U+00A0 no-break space; did you mean "My Team"?',
        ),
        ({"name": "x" * 1001}, "has more than 1000 characters"),
        (
            {"project": "Finance.*"},
            'looks like a regular expression, but only * and ? are special; did you mean "Finance*"?',
        ),
        ({"project": "^Finance$"}, 'did you mean "Finance"?'),
        ({"project": "Finance/"}, 'slash, which no path of a project does; did you mean "Finance/*"?'),
        ({"project": "/Finance"}, 'did you mean "Finance"?'),
        ({"project": "not Finance"}, 'does not exclude anything; did you mean "!Finance"?'),
        # Values that the field cannot have.
        ({"luid": "99"}, 'resource_luid: "99" is not a LUID, such as'),
        ({"luid": "Sales*"}, 'resource_luid: "Sales*" is not a LUID'),
        ({"resource": "WORKBOK"}, 'resource: "WORKBOK" is not a kind of resource; did you mean WORKBOOK?'),
        ({"resource": "DATASOURCE"}, "resource: never matches, because WorkbookCreated have WORKBOOK"),
        ({"certified": True}, "certified: never holds for WorkbookCreated, because only data sources can be certified"),
        # Contradictions.
        ({"project": ["Finance", "!Fin*"]}, 'project: "Finance" is excluded by "!Fin*", so nothing matches'),
        ({"project": ["Finance*", "!fin*"]}, 'project: "Finance*" is excluded by "!fin*", so nothing matches'),
        ({"tags": ["gold", "silver", "!gold"]}, 'tags: "gold" is excluded by "!gold", so it has no effect'),
        ({"project": "!*"}, 'project: "!*" excludes everything, so nothing matches'),
        ({"project": ["(none)", "!(none)"]}, 'project: "(none)" is excluded by "!(none)", so nothing matches'),
    ],
)
def test_condition_that_can_never_match(where: dict[str, Any], warning: str) -> None:
    """Each has one warning, with the value and the correction."""
    (found,) = warnings(where)
    assert warning in found


@pytest.mark.parametrize(
    "where",
    [
        {"project": "Finance/Reports", "tags": ["gold", "!draft"], "owner": "ann@acme.example"},
        {"project": ["*", "(none)", "!Sandbox*"]},
        {"project": ["Finance*", "!Finance Old"]},
        {"project": ["*in", "!?in*"]},
        {"luid": LUID},
        {"luid": [f"{LUID[:8]}*", "!????????-*"]},
        {"resource": "workbook"},
        {"name": "100% $ales (new) \U0001f469\u200d\U0001f4bb v1.2"},
        {"name": "x" * 1001 + "*"},
        # The composed and the decomposed form are equal, so neither needs a warning.
        {"project": unicodedata.normalize("NFD", "Umsätze")},
        {"project": "経理\u3000部"},
    ],
)
def test_condition_that_can_match(where: dict[str, Any]) -> None:
    """No warning for what is unusual and possible."""
    assert warnings(where) == []


def test_decomposed_characters_match_composed_ones() -> None:
    """A file that was written on another system need not use the same form of a character as Tableau."""
    for form in ("NFC", "NFD"):
        pattern, value = unicodedata.normalize(form, "Umsätze*"), unicodedata.normalize("NFC", "UMSÄTZE 2026")
        assert EventFilter(("*",), Where.parse({"name": pattern})).where.payload["resource_name"] == (pattern,)
        assert matches((pattern,), [value])


@pytest.mark.parametrize(
    ("on", "warning"),
    [
        (["WorkbookCreated", "!Workbook*"], 'on: "WorkbookCreated" is excluded by "!Workbook*", so nothing matches'),
        ("Workbook.*", 'on: "Workbook.*" looks like a regular expression'),
        ("WorkbookCreated ", 'on: "WorkbookCreated " begins or ends with a space'),
        ("WorkbookCreate", "WorkbookCreate is not a known event type; did you mean WorkbookCreated?"),
    ],
)
def test_event_types_that_select_nothing(on: str | list[str], warning: str) -> None:
    """The same is found in `on`, once."""
    (found,) = warnings({}, on)
    assert found.startswith(warning)


def test_warning_has_the_line_of_the_pattern(actions: Actions) -> None:
    """Also if it is written with an escape; a pattern that is not found has the line of its rule."""
    text = (
        """
[[rule]]
name = "One"
on = "WorkbookCreated"
notify = "slack"

[rule.where]
tags = ["gold",
        "! draft"]
name = "a\\u200bb"

[[rule]]
name = "Two"
on = "WorkbookCreated"
where = { luid = """
        "'''99'''"
        """ }
notify = "slack"
"""
    )
    assert [warning.partition(":")[0] for warning in parse(text, actions).warnings] == [
        'rule 1 "One" (line 10)',
        'rule 1 "One" (line 9)',
        'rule 2 "Two" (line 15)',
    ]


@pytest.mark.parametrize(
    ("on", "action", "warning"),
    [
        (
            "FlowRunFailed",
            "refresh",
            'rule 1 "A" (line 4): refresh: does nothing for FlowRunFailed; it is for workbooks',
        ),
        ("WorkbookDeleted", "tag", "tag: does nothing for WorkbookDeleted; it is for workbooks and data sources and"),
        ("*RefreshFailed", "refresh", ""),
        ("Label*", "tag", ""),
        ("Unknown", "refresh", ""),
    ],
)
def test_action_for_no_selected_event_type_is_a_warning(on: str, action: str, warning: str, actions: Actions) -> None:
    """An action that can never do anything for the event types of its rule is reported."""
    value = "true" if action == "refresh" else '["late"]'
    rules = parse(f'[[rule]]\nname = "A"\non = "{on}"\n{action} = {value}\n', actions)
    found = " ".join(one for one in rules.warnings if "does nothing" in one)
    assert warning in found if warning else not found


def test_end_of_several_event_types_is_meant_as_a_pattern() -> None:
    """`Refresh failed` does not exist as an event type; all that end with these words are suggested."""
    assert warnings({}, "Refresh failed") == ["Refresh failed is not a known event type; did you mean *RefreshFailed?"]
