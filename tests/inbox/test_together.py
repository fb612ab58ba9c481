"""Events that share a commit on SQLite: each has its own id, and a duplicate among them spoils nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from webhooks.event import Event
from webhooks.inbox import Inbox, Receipt
from webhooks.job import NewJob


@pytest.fixture
def box(opened: Callable[..., Inbox], sqlite_url: str) -> Inbox:
    return opened(sqlite_url)


@contextmanager
def held(box: Inbox) -> Iterator[ThreadPoolExecutor]:
    """Writes that are submitted in here wait for each other, and share one transaction at the end."""
    hold = threading.Event()

    def wait(_: Connection) -> None:
        hold.wait(5)

    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(box.store.write, wait)
        time.sleep(0.05)
        yield pool
        time.sleep(0.1)
        hold.set()
        first.result()


def kept(receipts: list[Future[Receipt]]) -> list[int]:
    return [receipt.result().id for receipt in receipts]


def test_each_sender_is_told_its_own_id(box: Inbox, event: Callable[..., Event]) -> None:
    """The ids of a batch are those under which the events are found."""
    sent = [event() for _ in range(12)]
    with held(box) as pool:
        receipts = [pool.submit(box.events.receive, one) for one in sent]
    found = {record.event.id: record.event.fingerprint for record in box.events.list()}
    assert [found[number] for number in kept(receipts)] == [one.fingerprint for one in sent]


def test_duplicates_in_a_batch_are_counted(box: Inbox, event: Callable[..., Event]) -> None:
    """Twins in one batch, and one that was there before, beside new ones."""
    before, twin = event(), event()
    first = box.events.receive(before)
    with held(box) as pool:
        receipts = [pool.submit(box.events.receive, one) for one in (event(), twin, before, twin, event())]
    told = [receipt.result() for receipt in receipts]
    assert sorted(receipt.duplicate for receipt in told) == [False, False, False, True, True]
    assert (told[1].id, told[2].id) == (told[3].id, first.id)
    counted = {record.event.id: record.duplicates for record in box.events.list()}
    assert counted == {first.id: 1, told[0].id: 0, told[1].id: 1, told[4].id: 0}


def test_events_and_other_writes_share_a_batch(box: Inbox, event: Callable[..., Event]) -> None:
    """A plan between two events is put down, and both events are kept."""
    planned = box.events.receive(event())
    with held(box) as pool:
        receipts = [pool.submit(box.events.receive, event())]
        count = pool.submit(box.events.plan, lambda _: [NewJob("nothing", "nothing")])
        receipts.append(pool.submit(box.events.receive, event()))
    assert count.result() >= 1
    first = box.events.get(planned.id)
    assert first is not None
    assert [record.job.key for record in first.jobs] == ["nothing"]
    assert len(set(kept(receipts))) == 2
    assert len(box.events.list()) == 3
