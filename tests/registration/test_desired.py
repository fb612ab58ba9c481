"""The event types that the rules and handlers need from Tableau."""

from __future__ import annotations

import pytest

from webhooks.registration import desired_event_types, desired_job_list_types
from webhooks.rules.conditions import EventFilter, Where

BRANCH = ("Branch", "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("*RefreshFailed",), ("DatasourceRefreshFailed", "WorkbookRefreshFailed")),
        (("workbookcreated",), ("WorkbookCreated",)),
        (("*Created", "!Label*", "!Site*"), ("DatasourceCreated", "WorkbookCreated")),
        (("FlowCompleted", "WorkbookCreated"), ("FlowCompleted", "WorkbookCreated")),
        (("Flow*",), ()),
        (("FlowRunFailed", "subscriptionfailed", "BridgeRefreshFailed", "FlowRunDone"), ("FlowRunDone",)),
    ],
)
def test_patterns_select_from_the_known_event_types(patterns: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """A pattern selects known event types; a type written in full is desired even if it is unknown."""
    assert desired_event_types([EventFilter(patterns, Where())]) == expected


def test_each_event_type_is_desired_once() -> None:
    """Two rules about the same event type need one webhook."""
    filters = [
        EventFilter(("WorkbookCreated",)),
        EventFilter(("Workbook*ed", "!*Refresh*", "!*Updated", "!*Deleted")),
    ]
    assert desired_event_types(filters) == ("WorkbookCreated",)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("WorkbookCreated",), ()),
        (("*RefreshFailed",), ()),
        (("*Failed",), ("FlowRunFailed", "SubscriptionFailed")),
        (("flowrunfailed",), ("FlowRunFailed",)),
        (("Flow*",), ("FlowRunFailed", "FlowRunSucceeded")),
        (("*", "!Subscription*"), ("FlowRunFailed",)),
        (("Bridge*",), ("BridgeRefreshFailed",)),
    ],
)
def test_job_list_is_read_only_for_types_that_a_rule_selects(
    patterns: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """These events have no webhook, and without a rule or handler for them nothing is asked."""
    assert desired_job_list_types([EventFilter(patterns, Where())]) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Bra*", ("ViewDeleted", "WorkbookCreated")),
        (BRANCH[1], ("ViewDeleted", "WorkbookCreated")),
        ("Head Office", ("ViewDeleted",)),
        ("!Branch", ("ViewDeleted",)),
    ],
)
def test_rules_about_another_site_need_no_webhook_here(condition: str, expected: tuple[str, ...]) -> None:
    """A condition on the site is compared with the site's name and LUID; rules without one need every site."""
    filters = [EventFilter(("WorkbookCreated",), Where.parse({"site": condition})), EventFilter(("ViewDeleted",))]
    assert desired_event_types(filters, site=BRANCH) == expected
    assert desired_event_types(filters) == ("ViewDeleted", "WorkbookCreated")
