"""Test that a whole inbox can be copied from a SQLite file to PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.postgres import Server
from tests.inbox.old_events import DAY, old
from tests.support.databases import Clock, some_event
from webhooks.inbox import Inbox
from webhooks.inbox.transfer import transfer

__all__ = ["old"]

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.mark.postgres
def test_transfer_copies_everything(
    old: Inbox, postgres_server: Server, opened: Callable[..., Inbox], clock: Clock
) -> None:
    """All rows arrive unchanged, work goes on there, and new rows are numbered after the old ones."""
    progress: list[tuple[str, int, int]] = []
    target = opened(postgres_server.url(), clock=clock)
    counts = transfer(old.store, target.store, lambda *step: progress.append(step))
    assert (counts["events"], counts["jobs"]) == (12, 9)
    assert progress[0] == ("events", 12, 12)
    assert target.events.list() == old.events.list()
    assert target.events.receive(some_event(1)).duplicate
    assert target.events.receive(some_event(99)).id > 12
    clock.forward(6 * DAY)
    assert [job.event.id for job in target.jobs.claim("me", 5, 30)] == [8]


@pytest.mark.postgres
def test_interrupted_transfer_continues(old: Inbox, postgres_server: Server, opened: Callable[..., Inbox]) -> None:
    """After an interruption, or after new events, a second run copies what is missing and nothing twice."""
    target = opened(postgres_server.url())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer(old.store, target.store, interrupt)
    old.events.receive(some_event(77))
    assert transfer(old.store, target.store)["events"] == 13
    assert target.events.list() == old.events.list()


def test_transfer_into_another_inbox_is_refused(old: Inbox, opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """An inbox that has events of its own is not mixed with another."""
    target = opened(f"sqlite:///{tmp_path}/other.sqlite3")
    target.events.receive(some_event(500))
    with pytest.raises(RuntimeError, match="events of its own"):
        transfer(old.store, target.store)
