"""Missed events: the changes in Tableau that were not received."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.inbox import EventSummary, Resource
from webhooks.monitor.missed import EndedRefresh, ListedContent, MissedEvent, content_changes, has_event, was_received

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=4)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def arrival(event_type: str, luid: str = "w", name: str = "Sales", at: datetime = NOW) -> EventSummary:
    return EventSummary(event_type, luid, name, at.timestamp(), at.timestamp())


@pytest.mark.parametrize(
    ("event_type", "at", "expected"),
    [
        ("WorkbookUpdated", NOW + minutes(1), True),
        ("WorkbookUpdated", NOW + minutes(10), False),
        ("WorkbookDeleted", NOW + minutes(600), True),
        ("WorkbookCreated", NOW, False),
    ],
)
def test_received_event_is_recognized_by_type_resource_and_time(event_type: str, at: datetime, expected: bool) -> None:
    """A deletion happens only once, so its time does not matter."""
    arrivals = [arrival("WorkbookUpdated"), arrival("WorkbookDeleted"), arrival("WorkbookCreated", luid="other")]
    assert was_received(MissedEvent(event_type, "W", "Sales", at), arrivals) is expected


def test_refresh_is_recognized_by_name_and_time() -> None:
    """The list of jobs does not say which content was refreshed, so this saves a request per refresh."""
    refresh = EndedRefresh("j", "", "Sales", succeeded=False, at=NOW)
    assert has_event(refresh, [arrival("DatasourceRefreshFailed", at=NOW + minutes(1))])
    assert not has_event(refresh, [arrival("DatasourceRefreshSucceeded")])
    assert not has_event(refresh, [arrival("DatasourceRefreshFailed", name="Costs")])


def test_updates_are_distinguished_from_refreshes_and_from_known_changes() -> None:
    """New content was created; changed content was updated, unless a refresh or a known change explains its time."""
    listed = [
        ListedContent("workbook", "new", "New", NOW, NOW),
        ListedContent("workbook", "changed", "Changed", LONG_AGO, NOW),
        ListedContent("workbook", "refreshed", "Refreshed", LONG_AGO, NOW),
        ListedContent("workbook", "known", "Known", LONG_AGO, NOW),
        ListedContent("workbook", "old", "Old", LONG_AGO, LONG_AGO),
        ListedContent("workbook", "too young", "Too young", NOW + minutes(9), NOW + minutes(9)),
    ]
    known = {"known": Resource("known", "workbook", "s", "Known", updated_at=NOW.timestamp())}
    refreshes = [EndedRefresh("j", "workbook", "Refreshed", succeeded=True, at=NOW + minutes(1))]
    changes = content_changes(listed, known, refreshes, since=NOW - minutes(5), until=NOW + minutes(5))
    assert [(change.event_type, change.luid) for change in changes] == [
        ("WorkbookCreated", "new"),
        ("WorkbookUpdated", "changed"),
    ]
