"""What is old goes, what still has something to do stays; and a whole inbox can move."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.postgres import Server
from tests.support.databases import NOTIFY, Clock, some_event
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.transfer import transfer

DAY = 86400.0


@pytest.fixture
def box(url: str, opened: Callable[..., Inbox], clock: Clock, event: Callable[..., Event]) -> Inbox:
    """Events 1 to 12: seven done, then one ready, one dead, one not planned, one ignored; the last is a day younger."""
    inbox = opened(url, clock=clock)
    for _ in range(9):
        inbox.events.receive(event())
    inbox.events.plan(lambda _: [NOTIFY])
    for number, job in enumerate(inbox.jobs.claim("me", 9, 60)):
        if number < 7:
            inbox.jobs.finish(job)
        elif number == 7:
            inbox.jobs.postpone(job, 5 * DAY, "later")
        else:
            inbox.dead_letters.dead_letter(job, "no use")
    inbox.events.receive(event())
    inbox.events.plan(lambda _: [])
    inbox.events.receive(event())
    clock.forward(DAY)
    inbox.events.receive(event())
    return inbox


def ids(inbox: Inbox) -> list[int | None]:
    return [record.event.id for record in inbox.events.list()]


def test_forget_takes_what_is_old_and_done_with(box: Inbox, clock: Clock) -> None:
    """Done, dead and ignored events go; one that waits, one not planned and a young one stay."""
    assert box.retention.delete_before(clock() - DAY / 2, batch=2) == 9
    assert ids(box) == [12, 11, 8]
    assert box.retention.delete_before(clock() - DAY / 2) == 0
    assert (box.counts()["dead"], box.counts()["ready"]) == (0, 1)


def test_forget_nothing_old(box: Inbox, clock: Clock) -> None:
    """Nothing is deleted before its time, and asking is cheap."""
    assert box.retention.delete_before(clock() - 2 * DAY) == 0
    assert len(ids(box)) == 12


def test_forgotten_event_sent_again_is_new(box: Inbox, clock: Clock) -> None:
    """A duplicate is known for as long as its event is kept, and no id is used twice."""
    box.retention.delete_before(clock() - DAY / 2)
    receipt = box.events.receive(some_event(1))
    assert (receipt.id, receipt.duplicate) == (13, False)


def test_tidy_gives_disk_space_back(box: Inbox, event: Callable[..., Event], clock: Clock) -> None:
    """After much was deleted the file is smaller; nothing else has changed."""
    for _ in range(60):
        box.events.receive(event(padding="x" * 8000))
    box.events.plan(lambda _: [])
    box.store.reclaim_space()
    before = box.store.size()
    clock.forward(DAY)
    box.retention.delete_before(clock() - DAY / 4)
    box.store.reclaim_space()
    if box.store.read(lambda connection: connection.dialect.name) == "sqlite":
        assert box.store.size() < before / 2
    assert ids(box) == [8]


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_move_to_postgres(box: Inbox, postgres_server: Server, opened: Callable[..., Inbox], clock: Clock) -> None:
    """Everything arrives as it was, work goes on there, and new rows are numbered after the old ones."""
    steps: list[tuple[str, int, int]] = []
    target = opened(postgres_server.url(), clock=clock)
    counts = transfer(box.store, target.store, lambda *step: steps.append(step))
    assert (counts["events"], counts["jobs"]) == (12, 9)
    assert steps[0] == ("events", 12, 12)
    assert target.events.list() == box.events.list()
    assert target.events.receive(some_event(1)).duplicate
    assert target.events.receive(some_event(99)).id > 12
    clock.forward(6 * DAY)
    assert [job.event.id for job in target.jobs.claim("me", 5, 30)] == [8]


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_move_again_goes_on(box: Inbox, postgres_server: Server, opened: Callable[..., Inbox]) -> None:
    """After a break, or after new events, a second run copies what is missing and nothing twice."""
    target = opened(postgres_server.url())

    def pull_the_plug(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer(box.store, target.store, pull_the_plug)
    box.events.receive(some_event(77))
    assert transfer(box.store, target.store)["events"] == 13
    assert target.events.list() == box.events.list()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_move_into_strangers_is_refused(box: Inbox, opened: Callable[..., Inbox], tmp_path: object) -> None:
    """An inbox that has events of its own is not mixed with another."""
    target = opened(f"sqlite:///{tmp_path}/other.sqlite3")
    target.events.receive(some_event(500))
    with pytest.raises(RuntimeError, match="events of its own"):
        transfer(box.store, target.store)
