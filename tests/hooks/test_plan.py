"""Which webhooks are wanted, and what has to be done so that there are these and no others."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableau_rest.models import Webhook
from webhooks.registration import Change, ChangeKind, compare, desired_event_types, is_ours
from webhooks.rules.conditions import EventFilter, Where

URL = "https://hooks.example.org/webhook/new-token"
LABEL = "tableau-webhooks"


def hook(event: str, *, luid: str = "1", url: str = URL, name: str = "", on: bool = True, reason: str = "") -> Webhook:
    return Webhook(luid, name or f"{LABEL} {event}", event, url, on, reason)


def verbs(steps: list[Change]) -> dict[str, str]:
    return {f"{step.event_type}/{step.webhook.luid if step.webhook else ''}": step.kind.value for step in steps}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("*RefreshFailed",), ("DatasourceRefreshFailed", "WorkbookRefreshFailed")),
        (("workbookcreated",), ("WorkbookCreated",)),
        (("*Created", "!Label*", "!Site*"), ("DatasourceCreated", "WorkbookCreated")),
        (("FlowCompleted", "WorkbookCreated"), ("FlowCompleted", "WorkbookCreated")),
        (("Flow*",), ()),
    ],
)
def test_wanted_expands_patterns_over_the_catalogue(patterns: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Patterns take in what is known; a type that is written out is wanted even if nobody knows it."""
    assert desired_event_types([EventFilter(patterns, Where())]) == expected


def test_wanted_has_each_type_once() -> None:
    """Two rules about the same event need one webhook."""
    assert desired_event_types(
        [EventFilter(("WorkbookCreated",)), EventFilter(("Workbook*ed", "!*Refresh*", "!*Updated", "!*Deleted"))]
    ) == ("WorkbookCreated",)


def test_plan_for_an_empty_site_creates_one_webhook_an_event() -> None:
    """Named so that ours are known."""
    (step,) = compare([], ["WorkbookCreated"], url=URL, label=LABEL)
    assert (step.kind, step.name, step.url) == (ChangeKind.CREATE, "tableau-webhooks WorkbookCreated", URL)


def test_plan_changes_what_differs_and_only_that() -> None:
    """Another URL is updated, a disabled one is switched on, an unneeded one deleted, a right one kept."""
    there = [
        hook("WorkbookCreated", luid="right"),
        hook("WorkbookUpdated", luid="moved", url="https://old.example.org/webhook/t"),
        hook("WorkbookDeleted", luid="off", on=False, reason="too many failures"),
        hook("ViewDeleted", luid="unneeded"),
    ]
    steps = compare(there, ["WorkbookCreated", "WorkbookDeleted", "WorkbookUpdated"], url=URL, label=LABEL)
    assert verbs(steps) == {
        "WorkbookCreated/right": "keep",
        "WorkbookUpdated/moved": "update",
        "WorkbookDeleted/off": "enable",
        "ViewDeleted/unneeded": "delete",
    }
    assert "too many failures" in next(step.reason for step in steps if step.kind is ChangeKind.ENABLE)


def test_plan_removes_twins_and_keeps_the_one_that_is_right() -> None:
    """Two runs that began at once, or one that was killed: one webhook stays, the best one."""
    there = [
        hook("WorkbookCreated", luid="a", url="https://old.example.org/x"),
        hook("WorkbookCreated", luid="b", on=False),
        hook("WorkbookCreated", luid="c"),
    ]
    assert verbs(compare(there, ["WorkbookCreated"], url=URL, label=LABEL)) == {
        "WorkbookCreated/c": "keep",
        "WorkbookCreated/a": "delete",
        "WorkbookCreated/b": "delete",
    }


def test_plan_never_shows_a_token() -> None:
    """Neither the new one nor the old one, in what is printed or logged."""
    (step,) = compare(
        [hook("WorkbookCreated", url=URL.replace("new", "old"))], ["WorkbookCreated"], url=URL, label=LABEL
    )
    assert step.kind is ChangeKind.UPDATE
    assert "token" not in repr(step).replace("it has another token", "")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("tableau-webhooks WorkbookCreated", True),
        ("tableau-webhooks", False),
        ("tableau-webhooks-two WorkbookCreated", False),
        ("tableau-webhooks listen ann@laptop WorkbookCreated", False),
        ("tableau-webhooks of the finance team", False),
        ("my tableau-webhooks WorkbookCreated", False),
    ],
)
def test_ours_are_known_by_their_whole_name(name: str, ours: bool) -> None:
    """A name that only looks a little like one of ours is somebody's."""
    assert is_ours(Webhook("1", name, "WorkbookCreated", URL), LABEL) is ours


EVENTS = ("WorkbookCreated", "WorkbookDeleted", "ViewDeleted")
WEBHOOKS = st.builds(
    Webhook,
    luid=st.uuids().map(str),
    name=st.sampled_from([f"{LABEL} {event}" for event in EVENTS] + ["somebody's", f"{LABEL} x", LABEL]),
    event=st.sampled_from(EVENTS),
    url=st.sampled_from([URL, "https://old.example.org/webhook/t"]),
    is_enabled=st.booleans(),
)


@given(st.lists(WEBHOOKS, max_size=8, unique_by=lambda one: one.luid), st.sets(st.sampled_from(EVENTS)))
def test_plan_carried_out_changes_nothing_the_second_time(there: list[Webhook], events: set[str]) -> None:
    """Whatever is there: afterwards there is one right webhook an event, and others' are as they were."""
    asked = sorted(events)
    after = _carried_out(there, compare(there, asked, url=URL, label=LABEL))
    again = compare(random.sample(after, len(after)), asked, url=URL, label=LABEL)
    assert [step.kind for step in again] == [ChangeKind.KEEP] * len(asked)
    others = [one for one in there if not is_ours(one, LABEL)]
    assert [one for one in after if not is_ours(one, LABEL)] == others


def _carried_out(there: list[Webhook], steps: list[Change]) -> list[Webhook]:
    known = {one.luid: one for one in there}
    for number, step in enumerate(steps):
        if step.webhook is None:
            known[f"new {number}"] = Webhook(f"new {number}", step.name, step.event_type, step.url)
        elif step.kind is ChangeKind.DELETE:
            del known[step.webhook.luid]
        elif step.kind is not ChangeKind.KEEP:
            known[step.webhook.luid] = Webhook(step.webhook.luid, step.name, step.event_type, step.url)
    return list(known.values())
