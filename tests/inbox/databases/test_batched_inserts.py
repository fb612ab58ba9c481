"""Test events that share a statement in PostgreSQL: in order, each with its own id, and apart from mistakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from bench.postgres import Server
from tests.support.databases import some_event
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import batched_inserts, write_queue
from webhooks.inbox.databases.batched_inserts import BatchedInserts, PendingInsert
from webhooks.inbox.databases.group_commit import GroupCommit
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.postgres_pool import AcknowledgementPool
from webhooks.inbox.databases.sqlite_files import SqliteFiles
from webhooks.inbox.databases.write_queue import CAPACITY

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("patient", "patient_with_locks")]

Write = PendingWrite[tuple[int, int]]
INSERT = "INSERT INTO events (fingerprint, body, event_type, received_at) VALUES (%s, '{}', 'Held', 0)"
LOCK_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
# Returns when it has ended, or after a minute.
END_WAITING = (
    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def patient_with_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let statements wait for another transaction, so that what comes meanwhile shares the next one."""
    monkeypatch.setattr(batched_inserts, "BATCH_LOCK_MILLISECONDS", 60_000)
    monkeypatch.setattr(batched_inserts, "LOCK_MILLISECONDS", 60_000)


@pytest.fixture
def url(postgres_server: Server) -> str:
    """Return the DATABASE_URL of an empty database."""
    return postgres_server.url()


@pytest.fixture
def box(opened: Callable[..., Inbox], url: str) -> Inbox:
    """Return an inbox in PostgreSQL."""
    return opened(url)


@pytest.fixture
def connect(postgres_server: Server, url: str) -> Iterator[Callable[[], psycopg.Connection[Any]]]:
    """Open connections to the inbox's database, and close them after the test."""
    connections: list[psycopg.Connection[Any]] = []

    def connect() -> psycopg.Connection[Any]:
        connections.append(postgres_server.connect(urlsplit(url).path.removeprefix("/")))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def row(event: Event) -> tuple[Any, ...]:
    """Return the event's values for the store."""
    return (event.fingerprint, event.body, event.event_type, event.resource_luid, event.resource_name, event.site_luid)


def begin(box: Inbox, events: Sequence[Event]) -> list[Write]:
    """Let the events wait for their commit in this order."""
    return [box.store.begin_insert(row(event)) for event in events]


def await_waits(connection: psycopg.Connection[Any], count: int) -> None:
    """Return when this many sessions of the database wait for another transaction."""
    deadline = time.monotonic() + 60
    while connection.execute(LOCK_WAITS).fetchone() != (count,):
        assert time.monotonic() < deadline, f"{count} sessions do not wait"
        time.sleep(0.005)


@contextmanager
def held(connection: psycopg.Connection[Any], observer: psycopg.Connection[Any], *boxes: Inbox) -> Iterator[None]:
    """Let the boxes wait for the transaction of another process, so that what begins inside shares a statement."""
    first = some_event(9999)
    with connection.transaction(force_rollback=True):
        connection.execute(INSERT, (first.fingerprint,))
        waiting = [begin(box, [first])[0] for box in boxes]
        await_waits(observer, len(boxes))
        yield
    assert sorted(write.wait()[1] for write in waiting) == list(range(len(boxes)))


@pytest.fixture
def hold(connect: Callable[[], psycopg.Connection[Any]], box: Inbox) -> Callable[[], Any]:
    """Return the context in which what begins shares a statement."""
    connections = connect(), connect()
    return lambda: held(*connections, box)


def test_ids_follow_the_order_of_arrival_in_one_transaction(
    box: Inbox, hold: Callable[[], Any], connect: Callable[[], psycopg.Connection[Any]]
) -> None:
    """All that waits is stored by one transaction, under ids in its order, although fingerprints have another one."""
    sent = [some_event(number) for number in range(30)]
    with hold():
        writes = begin(box, sent)
    results = [write.wait() for write in writes]
    assert results == sorted(results)
    assert {duplicates for _, duplicates in results} == {0}
    found = {record.event.id: record.event for record in box.events.list()}
    assert [found[event_id].fingerprint for event_id, _ in results] == [event.fingerprint for event in sent]
    transactions = connect().execute("SELECT count(DISTINCT xmin::text) FROM events WHERE event_type != 'Held'")
    assert transactions.fetchone() == (2,)


def test_duplicates_in_a_batch_are_counted(box: Inbox, hold: Callable[[], Any]) -> None:
    """Two copies in one batch, and one of an event stored before, do not affect the new events."""
    before, twin, new, last = map(some_event, range(4))
    first = box.events.receive(before)
    with hold():
        writes = begin(box, [new, twin, before, twin, last, twin])
    results = [write.wait() for write in writes]
    twin_id = results[1][0]
    assert results[2] == (first.id, 1)
    assert [results[1], results[3], results[5]] == [(twin_id, 0), (twin_id, 1), (twin_id, 2)]
    assert (results[0][1], results[4][1]) == (0, 0)
    duplicates = {record.event.fingerprint: record.duplicates for record in box.events.list()}
    assert [duplicates[event.fingerprint] for event in (before, twin, new, last)] == [1, 2, 0, 0]


def test_duplicate_of_a_held_event_waits_alone(
    box: Inbox, hold: Callable[[], Any], connect: Callable[[], psycopg.Connection[Any]]
) -> None:
    """A copy of an event whose row another transaction holds is counted when that ends; others do not wait for it."""
    locked, other, new = map(some_event, range(3))
    first = [write.wait()[0] for write in begin(box, [locked, other])]
    holder, observer = connect(), connect()
    with holder.transaction():
        holder.execute("SELECT id FROM events WHERE id = %s FOR UPDATE", (first[0],))
        with hold():
            writes = begin(box, [locked, other, new, locked])
        assert [write.wait()[1] for write in writes[1:3]] == [1, 0]
        await_waits(observer, 1)
    assert [writes[0].wait(), writes[3].wait()] == [(first[0], 1), (first[0], 2)]


@pytest.mark.parametrize("change", ["UPDATE events SET state = 1 WHERE fingerprint = %s", INSERT])
def test_events_that_a_hung_transaction_holds_refuse_no_others(
    change: str,
    box: Inbox,
    hold: Callable[[], Any],
    connect: Callable[[], psycopg.Connection[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as one of a machine that has lost its power: only their own copies wait, and are stored when it ends."""
    changed, first, last = some_event(0), some_event(1), some_event(2)
    if change != INSERT:
        begin(box, [changed])[0].wait()
    holder = connect()
    with holder.transaction(force_rollback=True):
        holder.execute(change, (changed.fingerprint,))
        with hold():
            monkeypatch.setattr(batched_inserts, "BATCH_LOCK_MILLISECONDS", 20)
            monkeypatch.setattr(batched_inserts, "LOCK_MILLISECONDS", 5)
            writes = begin(box, [first, changed, changed, last])
        assert [writes[number].wait()[1] for number in (0, 3)] == [0, 0]
        with pytest.raises(StoreUnavailable, match="did not commit"):
            writes[1].outcome()
    # The copy that was refused may be counted, because the database may have been asked for it just then.
    before = 0 if change == INSERT else 1
    assert writes[2].wait()[1] in {before, before + 1}


def test_mistakes_do_not_affect_the_rest_of_the_batch(box: Inbox, hold: Callable[[], Any]) -> None:
    """An event with a text or a type that PostgreSQL refuses gets its own error, and the others are stored."""
    good = [some_event(number) for number in range(4)]
    bad = [
        (b"1", b"{}", "a\0b", None, None, None),
        (b"2", b"{}", "\ud800", None, None, None),
        (b"3", b"{}", *[None] * 4),
    ]
    with hold():
        writes = begin(box, good[:2])
        wrong = [box.store.begin_insert(values) for values in bad]
        writes += begin(box, good[2:])
    assert len({write.wait()[0] for write in writes}) == 4
    for write in wrong:
        with pytest.raises((psycopg.DataError, psycopg.IntegrityError, UnicodeError)):
            write.wait()
    assert not box.events.receive(some_event(5)).duplicate


def test_processes_with_the_same_events_do_not_wait_in_a_circle(
    box: Inbox, opened: Callable[..., Inbox], url: str, connect: Callable[[], psycopg.Connection[Any]]
) -> None:
    """Two processes that get the same events in opposite orders store each once, and neither fails with a deadlock.

    Both wait for a third transaction first, which holds the event in the middle.
    """
    other, holder, middle, observer = opened(url), connect(), connect(), connect()
    sent = sorted(map(some_event, range(3)), key=lambda event: event.fingerprint)
    with middle.transaction(force_rollback=True):
        middle.execute(INSERT, (sent[1].fingerprint,))
        with held(holder, observer, box, other):
            writes = begin(box, sent), begin(other, sent[::-1])
        await_waits(observer, 2)
    results = [[write.wait() for write in some] for some in writes]
    assert {event_id for event_id, _ in results[0]} == {event_id for event_id, _ in results[1]}
    for one, two in zip(results[0], results[1][::-1], strict=True):
        assert sorted((one[1], two[1])) == [0, 1]


def test_lost_session_repeats_the_batch(
    box: Inbox, hold: Callable[[], Any], connect: Callable[[], psycopg.Connection[Any]]
) -> None:
    """A session that ends while a batch is under way refuses no event: the batch is sent again over another one."""
    observer = connect()
    with hold():
        writes = begin(box, [some_event(1), some_event(2)])
        assert observer.execute(END_WAITING).fetchall() == [(True,)]
        await_waits(observer, 1)
    assert [write.wait()[1] for write in writes] == [0, 0]


def test_only_so_many_events_wait(box: Inbox, hold: Callable[[], Any]) -> None:
    """More than the queue holds are refused at once, those in it are stored, and then the queue has room again."""
    with hold():
        writes = begin(box, [some_event(number) for number in range(CAPACITY)])
        with pytest.raises(StoreUnavailable, match="already waiting"):
            begin(box, [some_event(9000)])[0].wait()
    assert len({write.wait()[0] for write in writes}) == CAPACITY
    assert not box.events.receive(some_event(9000)).duplicate


def test_only_so_many_bytes_wait(
    opened: Callable[..., Inbox],
    url: str,
    connect: Callable[[], psycopg.Connection[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """New events and duplicates count together, also while they are passed on; what is stored makes room."""
    monkeypatch.setattr(write_queue, "MAX_BYTES", 100_000)
    box = opened(url)
    events = [some_event(number, padding="x" * 40_000) for number in range(3)]
    with held(connect(), connect(), box):
        writes = begin(box, [events[0], events[0], events[1]])
        with pytest.raises(StoreUnavailable, match="already waiting"):
            writes[2].wait()
    assert [write.wait()[1] for write in writes[:2]] == [0, 1]
    assert [write.wait()[1] for write in begin(box, events[1:])] == [0, 0]


def test_abandoned_event_is_left_out(box: Inbox, hold: Callable[[], Any]) -> None:
    """An event whose sender was refused meanwhile is not stored: when it comes again, it is new."""
    abandoned, other = some_event(1), some_event(2)
    with hold():
        writes = begin(box, [abandoned, other])
        with pytest.raises(StoreUnavailable, match="did not commit"):
            writes[0].outcome()
    writes[1].wait()
    assert not box.events.receive(abandoned).duplicate


def test_close_stores_what_waits(
    box: Inbox, hold: Callable[[], Any], opened: Callable[..., Inbox], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stops commits what waits, new events and duplicates, and refuses what comes later."""
    monkeypatch.setattr(batched_inserts, "CLOSE_SECONDS", 60.0)
    with ThreadPoolExecutor(1) as pool:
        with hold():
            writes = begin(box, [some_event(1), some_event(2), some_event(1)])
            closed = pool.submit(box.close)
        assert [write.wait()[1] for write in writes] == [0, 0, 1]
        closed.result()
    with pytest.raises(StoreUnavailable, match="closed"):
        begin(box, [some_event(3)])[0].wait()
    assert len(opened(url).events.list()) == 3


@pytest.mark.second_stage
def test_outage_refuses_all_that_wait(postgres_server: Server, box: Inbox) -> None:
    """More events than a batch holds are refused together when the database cannot be reached, and later stored."""
    box.events.receive(some_event(0))
    sent = [some_event(number) for number in range(1, 300)]
    postgres_server.stop()
    try:
        writes = begin(box, sent)
        for write in writes:
            with pytest.raises(StoreUnavailable):
                write.wait()
    finally:
        postgres_server.start()
    writes = begin(box, sent)
    assert len({write.wait()[0] for write in writes}) == len(sent)
    assert len(box.events.list(limit=500)) == len(sent) + 1


def test_every_write_is_reported_once(box: Inbox, hold: Callable[[], Any]) -> None:
    """`on_complete` is called once for each event, whether it was stored, counted or refused."""
    called: list[int] = []
    rows = [row(some_event(1)), row(some_event(2)), row(some_event(1)), (b"x", b"{}", None, None, None, None)]
    with hold():
        writes = [
            box.store.begin_insert(values, lambda number=number: called.append(number))
            for number, values in enumerate(rows)
        ]
        assert not called
    for write in writes[:3]:
        write.wait()
    with pytest.raises(psycopg.IntegrityError):
        writes[3].wait()
    deadline = time.monotonic() + 60
    while len(called) < len(rows):
        assert time.monotonic() < deadline, called
        time.sleep(0.005)
    assert sorted(called) == list(range(len(rows)))


def test_a_process_that_may_start_no_thread_refuses(box: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system limits the threads; each of the three exists once as soon as there may be more."""
    started: list[threading.Thread] = []
    limit, start = 1, threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if thread.name == "inbox-writer":
            if len(started) == limit:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)
    for number in range(2):
        with pytest.raises(StoreUnavailable, match="can't start new thread"):
            box.store.begin_insert(row(some_event(number))).wait()
    limit = 100
    writes = begin(box, [some_event(1), some_event(1)])
    assert sorted(write.wait()[1] for write in writes) == [0, 1]
    assert len(started) == batched_inserts.LANES


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_refused_events_do_not_wait_for_the_database_again(kind: str, tmp_path: Path) -> None:
    """While it is silent, a process that stops would wait for it with each batch of them."""
    attempts: list[int] = []
    opening, refused = threading.Event(), threading.Event()

    def prepare() -> None:
        attempts.append(1)
        opening.set()
        refused.wait(60)
        raise StoreUnavailable("silent")

    files = SqliteFiles(tmp_path / "inbox.sqlite3", None)
    queue: Any = BatchedInserts(AcknowledgementPool({}), prepare, lambda: ("now()", ()))
    if kind == "sqlite":
        queue = GroupCommit(lambda: pytest.fail("not reached"), tmp_path / "lock", files, prepare)

    def begin(number: int) -> Write:
        values = row(some_event(number))
        write = PendingWrite(lambda _: (0, 0), 0.0, values) if kind == "sqlite" else PendingInsert(values, 0.0)
        queue.begin(write)
        return write

    writes = [begin(0)]
    assert opening.wait(60)
    writes += [begin(number) for number in range(1, 220)]
    for write in writes:
        with pytest.raises(StoreUnavailable, match="did not commit"):
            write.outcome()
    refused.set()
    queue.close()
    assert attempts == [1]
