"""The changes that lead from the webhooks present in Tableau to the desired ones."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableau_rest.models import Webhook
from webhooks.registration import Change, ChangeKind, compare, is_ours

URL = "https://hooks.example.org/webhook/new-token"
LABEL = "tableau-webhooks"


def webhook(
    event_type: str, *, luid: str = "1", url: str = URL, name: str = "", enabled: bool = True, reason: str = ""
) -> Webhook:
    return Webhook(luid, name or f"{LABEL} {event_type}", event_type, url, enabled, reason)


def kinds(changes: list[Change]) -> dict[str, str]:
    return {
        f"{change.event_type}/{change.webhook.luid if change.webhook else ''}": change.kind.value for change in changes
    }


def test_empty_site_gets_one_webhook_per_event_type() -> None:
    """Its name is the label and the event type, by which it is recognized later."""
    (change,) = compare([], ["WorkbookCreated"], url=URL, label=LABEL)
    assert (change.kind, change.name, change.url) == (ChangeKind.CREATE, "tableau-webhooks WorkbookCreated", URL)


def test_only_differences_are_changed() -> None:
    """Another URL is updated, a disabled webhook enabled, an unneeded one deleted, a correct one kept."""
    present = [
        webhook("WorkbookCreated", luid="correct"),
        webhook("WorkbookUpdated", luid="moved", url="https://old.example.org/webhook/t"),
        webhook("WorkbookDeleted", luid="disabled", enabled=False, reason="too many failures"),
        webhook("ViewDeleted", luid="unneeded"),
    ]
    changes = compare(present, ["WorkbookCreated", "WorkbookDeleted", "WorkbookUpdated"], url=URL, label=LABEL)
    assert kinds(changes) == {
        "WorkbookCreated/correct": "keep",
        "WorkbookUpdated/moved": "update",
        "WorkbookDeleted/disabled": "enable",
        "ViewDeleted/unneeded": "delete",
    }
    assert "too many failures" in next(change.reason for change in changes if change.kind is ChangeKind.ENABLE)


def test_renamed_webhook_gets_its_name_back() -> None:
    """A name that differs only after the label is corrected, because webhooks are recognized by it."""
    renamed = webhook("WorkbookCreated", name=f"{LABEL} WorkbookUpdated")
    (change,) = compare([renamed], ["WorkbookCreated"], url=URL, label=LABEL)
    assert (change.kind, change.reason) == (ChangeKind.UPDATE, f"is named {LABEL} WorkbookUpdated")


def test_duplicates_are_deleted_and_the_correct_one_is_kept() -> None:
    """Two simultaneous runs, or one that was killed, may leave duplicates; the best one is kept."""
    present = [
        webhook("WorkbookCreated", luid="a", url="https://old.example.org/x"),
        webhook("WorkbookCreated", luid="b", enabled=False),
        webhook("WorkbookCreated", luid="c"),
    ]
    assert kinds(compare(present, ["WorkbookCreated"], url=URL, label=LABEL)) == {
        "WorkbookCreated/c": "keep",
        "WorkbookCreated/a": "delete",
        "WorkbookCreated/b": "delete",
    }


def test_changes_never_show_a_token() -> None:
    """Neither the new token nor the old one is in what is printed or logged."""
    present = [webhook("WorkbookCreated", url=URL.replace("new", "old"))]
    (change,) = compare(present, ["WorkbookCreated"], url=URL, label=LABEL)
    assert change.kind is ChangeKind.UPDATE
    assert "token" not in repr(change).replace("has another token", "")


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
def test_our_webhooks_are_recognized_by_the_whole_name(name: str, ours: bool) -> None:
    """A name that only resembles one of ours belongs to another program or person."""
    assert is_ours(Webhook("1", name, "WorkbookCreated", URL), LABEL) is ours


EVENT_TYPES = ("WorkbookCreated", "WorkbookDeleted", "ViewDeleted")
WEBHOOKS = st.builds(
    Webhook,
    luid=st.uuids().map(str),
    name=st.sampled_from([f"{LABEL} {event_type}" for event_type in EVENT_TYPES] + ["finance", f"{LABEL} x", LABEL]),
    event=st.sampled_from(EVENT_TYPES),
    url=st.sampled_from([URL, "https://old.example.org/webhook/t"]),
    is_enabled=st.booleans(),
)


@given(st.lists(WEBHOOKS, max_size=8, unique_by=lambda webhook: webhook.luid), st.sets(st.sampled_from(EVENT_TYPES)))
def test_second_comparison_changes_nothing(present: list[Webhook], event_types: set[str]) -> None:
    """After all changes there is one correct webhook per event type, and the webhooks of others are as before."""
    desired = sorted(event_types)
    after = applied(present, compare(present, desired, url=URL, label=LABEL))
    again = compare(random.sample(after, len(after)), desired, url=URL, label=LABEL)
    assert [change.kind for change in again] == [ChangeKind.KEEP] * len(desired)
    others = [webhook for webhook in present if not is_ours(webhook, LABEL)]
    assert [webhook for webhook in after if not is_ours(webhook, LABEL)] == others


def applied(present: list[Webhook], changes: list[Change]) -> list[Webhook]:
    """Return the webhooks after the changes, as Tableau would have them."""
    by_luid = {webhook.luid: webhook for webhook in present}
    for number, change in enumerate(changes):
        if change.webhook is None:
            by_luid[f"new {number}"] = Webhook(f"new {number}", change.name, change.event_type, change.url)
        elif change.kind is ChangeKind.DELETE:
            del by_luid[change.webhook.luid]
        elif change.kind is not ChangeKind.KEEP:
            by_luid[change.webhook.luid] = Webhook(change.webhook.luid, change.name, change.event_type, change.url)
    return list(by_luid.values())
