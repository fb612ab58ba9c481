"""Test events that share a commit in SQLite: each has its own id, and a duplicate does not affect the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text

from webhooks.event import Event
from webhooks.inbox import Inbox, Receipt
from webhooks.job import NewJob


@pytest.fixture
def box(opened: Callable[..., Inbox], sqlite_url: str) -> Inbox:
    """Return an inbox in a SQLite file."""
    return opened(sqlite_url)


@contextmanager
def one_batch(box: Inbox) -> Iterator[ThreadPoolExecutor]:
    """Let all writes that are submitted inside wait for each other and share one transaction."""
    release = threading.Event()

    def wait(_: Connection) -> None:
        release.wait(5)

    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(box.store.write, wait)
        time.sleep(0.05)
        yield pool
        time.sleep(0.1)
        release.set()
        first.result()


def ids(receipts: list[Future[Receipt]]) -> list[int]:
    """Return the ids of the receipts."""
    return [receipt.result().id for receipt in receipts]


def test_each_sender_gets_the_id_of_its_event(box: Inbox, event: Callable[..., Event]) -> None:
    """The ids of a batch are those under which the events are stored."""
    sent = [event() for _ in range(12)]
    with one_batch(box) as pool:
        receipts = [pool.submit(box.events.receive, one) for one in sent]
    found = {record.event.id: record.event.fingerprint for record in box.events.list()}
    assert [found[event_id] for event_id in ids(receipts)] == [one.fingerprint for one in sent]


def test_duplicates_in_a_batch_are_counted(box: Inbox, event: Callable[..., Event]) -> None:
    """Two copies in one batch, and one of an event stored before, do not affect the new events."""
    before, twin = event(), event()
    first = box.events.receive(before)
    with one_batch(box) as pool:
        futures = [pool.submit(box.events.receive, one) for one in (event(), twin, before, twin, event())]
    receipts = [future.result() for future in futures]
    assert sorted(receipt.duplicate for receipt in receipts) == [False, False, False, True, True]
    assert (receipts[1].id, receipts[2].id) == (receipts[3].id, first.id)
    duplicates = {record.event.id: record.duplicates for record in box.events.list()}
    assert duplicates == {first.id: 1, receipts[0].id: 0, receipts[1].id: 1, receipts[4].id: 0}


def test_events_and_other_writes_share_a_batch(box: Inbox, event: Callable[..., Event]) -> None:
    """A plan between two events is stored with both."""
    planned = box.events.receive(event())
    with one_batch(box) as pool:
        receipts = [pool.submit(box.events.receive, event())]
        count = pool.submit(box.events.plan, lambda _: [NewJob("nothing", "nothing")])
        receipts.append(pool.submit(box.events.receive, event()))
    assert count.result() >= 1
    record = box.events.get(planned.id)
    assert record is not None
    assert [job.job.key for job in record.jobs] == ["nothing"]
    assert len(set(ids(receipts))) == 2
    assert len(box.events.list()) == 3


def test_mistakes_do_not_affect_the_rest_of_the_batch(box: Inbox, event: Callable[..., Event]) -> None:
    """Operations that share a transaction with one that fails are committed."""
    box.events.receive(event())

    def mistake(connection: Connection) -> None:
        connection.execute(text("INSERT INTO jobs (id) VALUES (1)"))

    with one_batch(box) as pool:
        good = [pool.submit(box.events.receive, event()) for _ in range(3)]
        bad = [pool.submit(box.store.write, mistake), pool.submit(box.store.write, lambda _: 1 // 0)]
        good += [pool.submit(box.events.receive, event()) for _ in range(2)]
    assert len(set(ids(good))) == 5
    with pytest.raises(Exception, match="NOT NULL"):
        bad[0].result()
    with pytest.raises(ZeroDivisionError):
        bad[1].result()
    assert len(box.events.list()) == 6
