"""Test that expired events are deleted once they are finished, and their disk space is returned."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.inbox.old_events import DAY, ids, old
from tests.support.databases import Clock, some_event
from webhooks.event import Event
from webhooks.inbox import Inbox

__all__ = ["old"]


def test_finished_events_are_deleted(old: Inbox, clock: Clock) -> None:
    """Done, dead and ignored events are deleted; one that waits, an unplanned one and a recent one are kept."""
    assert old.retention.delete_before(clock() - DAY / 2, batch=2) == 9
    assert ids(old) == [12, 11, 8]
    assert old.retention.delete_before(clock() - DAY / 2) == 0
    assert (old.counts()["dead"], old.counts()["ready"]) == (0, 1)


def test_recent_events_are_kept(old: Inbox, clock: Clock) -> None:
    """No event is deleted before its time."""
    assert old.retention.delete_before(clock() - 2 * DAY) == 0
    assert len(ids(old)) == 12


def test_deleted_event_is_new_when_sent_again(old: Inbox, clock: Clock) -> None:
    """A duplicate is recognized while its event is stored, and no id is used twice."""
    old.retention.delete_before(clock() - DAY / 2)
    receipt = old.events.receive(some_event(1))
    assert (receipt.id, receipt.duplicate) == (13, False)


def test_disk_space_is_returned(old: Inbox, event: Callable[..., Event], clock: Clock) -> None:
    """After many events were deleted the file is smaller; the others are unchanged."""
    for _ in range(60):
        old.events.receive(event(padding="x" * 8000))
    old.events.plan(lambda _: [])
    old.store.reclaim_space()
    before = old.store.size()
    clock.forward(DAY)
    old.retention.delete_before(clock() - DAY / 4)
    old.store.reclaim_space()
    if old.store.read(lambda connection: connection.dialect.name) == "sqlite":
        assert old.store.size() < before / 2
    assert ids(old) == [8]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", ["'yesterday'", "x'00'", "9e18", "-1", "0", "''"])
@pytest.mark.parametrize("batch", [1, 2, 200])
def test_damaged_time_does_not_stop_the_others(old: Inbox, clock: Clock, value: str, batch: int) -> None:
    """A row whose time is no time is as old as its neighbours: old ones are deleted, the newest is kept."""
    damaged = f"UPDATE events SET received_at = {value} WHERE id IN (1, 2, 3, 9, 12)"
    assert old.store.execute(text(damaged)) == 5
    assert old.retention.delete_before(clock() - DAY / 2, batch=batch) == 9
    assert ids(old) == [12, 11, 8]
