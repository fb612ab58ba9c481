"""Test PostgreSQL that stops, freezes, fails over or is behind PgBouncer: refused in time, and nothing is lost."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import PendingRollbackError

from bench.postgres import Server
from notifiers.limits import Limit
from tests.deploy.tools import tool
from tests.support.databases import IN_TIME, NOTIFY, Clock, refusal_seconds
from tests.support.pgbouncer import pgbouncer
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases import postgres_connection, raw_sql
from webhooks.inbox.databases.postgres import POOL_SIZE
from webhooks.inbox.databases.postgres_connection import BoundedConnection
from webhooks.inbox.jobs.attempt_sql import postgres_end, postgres_values
from webhooks.inbox.jobs.attempts import attempt_end
from webhooks.inbox.jobs.due_jobs import BY_URGENCY
from webhooks.inbox.jobs.jobs import Following
from webhooks.inbox.runs.sql import newest
from webhooks.job import Job, JobState
from webhooks.worker.worker import Worker

pytestmark = pytest.mark.postgres

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def server(postgres_server: Server) -> Iterator[Server]:
    """Return a PostgreSQL server that a test may stop."""
    yield postgres_server
    if not postgres_server.running:
        postgres_server.start()


@pytest.fixture
def pooled_url(postgres_server: Server) -> Iterator[str]:
    """Return the DATABASE_URL of an empty database behind PgBouncer in transaction mode."""
    with pgbouncer(tool("pgbouncer"), postgres_server) as url:
        yield url


def set_default(server: Server, url: str, setting: str, value: str) -> None:
    """Set what new sessions of the database have."""
    name = urlsplit(url).path.removeprefix("/")
    with server.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")


def read_only(server: Server, url: str, *, on: bool) -> None:
    """Make all sessions of the database read-only, as on the old primary after a fail-over, or writable again."""
    set_default(server, url, "default_transaction_read_only", "on" if on else "off")


@pytest.mark.second_stage
def test_restart_refuses_at_once_and_goes_on(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """While the database is down events are refused at once; afterwards everything works, and nothing is lost."""
    box = opened(server.url())
    for _ in range(3):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    server.stop()
    assert refusal_seconds(lambda: box.events.receive(event())) < IN_TIME
    assert refusal_seconds(lambda: box.events.receive(event())) < IN_TIME
    assert refusal_seconds(lambda: box.jobs.claim("me", 1, 30)) < IN_TIME
    server.start()
    box.events.receive(event())
    assert len(box.jobs.claim("me", 10, 30)) == 3
    assert len(box.events.list()) == 4


@pytest.mark.usefixtures("patient")
def test_restart_between_two_events_is_not_noticed(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """All pooled connections are broken after a restart, and still no event is refused."""
    box = opened(server.url())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(box.events.receive, [event() for _ in range(50)]))
    server.stop()
    server.start()
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(box.events.receive, [event() for _ in range(50)]))
    assert len({receipt.id for receipt in receipts}) == 50


def test_first_statement_after_a_restart_finds_a_session(server: Server, opened: Callable[..., Inbox]) -> None:
    """All pooled connections of the workers are broken; each kind of statement meets only one of them."""
    box = opened(url := server.url())
    all_read = threading.Barrier(POOL_SIZE)

    def hold(connection: Connection) -> None:
        raw_sql.rows(connection, "SELECT 1")
        all_read.wait(IN_TIME)

    def restart() -> None:
        server.stop()
        server.start()

    def end_sessions() -> None:
        _end_sessions(server, url)

    for operation, end in (
        (lambda: box.store.read(lambda connection: raw_sql.rows(connection, "SELECT 1")), restart),
        (lambda: box.store.write(lambda connection: raw_sql.rows(connection, "SELECT 1")), end_sessions),
        (lambda: box.store.run("SELECT 1", ()), end_sessions),
        (box.counts, end_sessions),
    ):
        with ThreadPoolExecutor(POOL_SIZE) as pool:
            list(pool.map(lambda _: box.store.read(hold), range(POOL_SIZE)))
        end()
        assert operation()


def test_migration_by_a_newer_server_is_not_noticed(postgres_server: Server, opened: Callable[..., Inbox]) -> None:
    """During a rolling deployment a table gets a column, which is in the rows of statements that are prepared."""
    box, newer = opened(url := postgres_server.url()), opened(url)

    def newest_runs(connection: Connection) -> list[raw_sql.Row]:
        return newest(connection, ("site", "resource"), 1, 0)

    for run in (box.store.read, box.store.write):
        # psycopg prepares what is run more often than five times.
        for _ in range(6):
            run(newest_runs)
        with newer.store.migrating() as connection:
            connection.exec_driver_sql(f"ALTER TABLE runs ADD COLUMN {run.__name__}_later integer")
        assert run(newest_runs) == []


def test_transaction_does_not_go_on_in_another_session(server: Server, opened: Callable[..., Inbox]) -> None:
    """An operation that ignores the loss of its session stores nothing, and not what follows either."""
    box = opened(url := server.url())
    insert = "INSERT INTO state (key, value, updated_at) VALUES (?, '1', 0)"

    def lose(connection: Connection) -> None:
        raw_sql.execute(connection, insert, "first")
        _end_sessions(server, url)
        with suppress(psycopg.Error):
            raw_sql.execute(connection, insert, "second")
        raw_sql.execute(connection, insert, "third")

    with pytest.raises(PendingRollbackError):
        box.store.write(lose)
    assert box.store.scalar(text("SELECT count(*) FROM state WHERE key IN ('first', 'second', 'third')")) == 0


def test_attempt_ends_right_after_a_restart(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """Its end is recorded although all pooled connections are broken, and the next job starts with it."""
    box = opened(server.url())
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    first, second = box.jobs.claim("me", 2, 60, start=1)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: box.counts(), range(12)))
    server.stop()
    server.start()
    started = box.jobs.finish(first, following=Following(second))
    assert started is not None
    assert started.started_at is not None
    states = {job.job.id: job.job.state for record in box.events.list() for job in record.jobs}
    assert states == {first.id: JobState.DONE, second.id: JobState.RUNNING}


def test_claims_read_the_first_jobs_of_a_backlog(
    postgres_server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """PostgreSQL has no statistics about a backlog that is new, and yet reads it in the order of its index."""
    box = opened(postgres_server.url())
    box.events.receive(event())
    box.events.plan(lambda _: [replace(NOTIFY, key=str(number)) for number in range(1000)])
    due, _ = BY_URGENCY[False]

    (job,) = box.jobs.claim("me", 1, 60)

    def plans(connection: Connection) -> list[str]:
        # At the end of a job, one is claimed without the settings of the transaction that begins a claim.
        end = postgres_end(box.store.wall_sql()[0], claim=True)
        ended = postgres_values(attempt_end(box.store, job, JobState.DONE, "done"))
        before = connection.exec_driver_sql(f"EXPLAIN {end}", (*ended, "me", 30)).scalars().all()
        now = box.store.begin_claim(connection)
        compiled = due.compile(dialect=connection.dialect)
        values = compiled.construct_params({"now": now, "most": 8})
        return ["\n".join(before), "\n".join(connection.exec_driver_sql(f"EXPLAIN {compiled}", values).scalars())]

    for explained in box.store.write(plans):
        assert "Index Scan using jobs_open" in explained
        assert "Sort" not in explained


def test_job_of_a_dead_worker_is_not_claimed_at_the_end_of_another(
    postgres_server: Server, opened: Callable[..., Inbox], event: Callable[..., Event], clock: Clock
) -> None:
    """Its last attempt has to be recorded first, so it is left to the next round, and none behind it goes first."""
    box = opened(postgres_server.url(), clock=clock)
    box.events.receive(event())
    box.events.plan(lambda _: [replace(NOTIFY, key=str(number)) for number in range(3)])
    own, lost = box.jobs.claim("me", 1, 60)[0], box.jobs.claim("dead", 1, 30)[0]
    clock.seconds += 31
    # A third one became due before.
    with box.store.migrating() as connection:
        connection.exec_driver_sql("UPDATE jobs SET due_at = %s WHERE attempts = 0", (clock.seconds - 0.5,))
    assert box.jobs.finish(own, following=Following(lease=30)) is None
    first, second = box.jobs.claim("me", 2, 30)
    assert (first.id, first.attempts) == (lost.id, 2)
    assert box.jobs.finish(second) is None
    outcomes = {one.outcome for record in box.events.list() for job in record.jobs for one in job.attempts_made}
    assert outcomes == {"done", "lost"}


def test_calls_are_counted_once_however_many_ask_at_a_time(
    postgres_server: Server, opened: Callable[..., Inbox], clock: Clock
) -> None:
    """Processes that ask at the same time get as many calls as the limits allow, also if no limit was used before.

    They wait for each other although the administrator's default lets a statement fail after another one's commit.
    """
    url = postgres_server.url()
    set_default(postgres_server, url, "default_transaction_isolation", "serializable")
    boxes = [opened(url, clock=clock) for _ in range(2)]
    shared = Limit("all", 100, 60.0, at_once=12)

    def ask(number: int) -> bool:
        return boxes[number % 2].budgets.take([Limit(f"channel {number % 7}", 1, 1.0, at_once=2), shared]) is None

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(number % 7 for number, free in enumerate(pool.map(ask, range(56))) if free)
    assert sum(taken.values()) == 12
    assert max(taken.values()) <= 2


@pytest.mark.second_stage
def test_frozen_server_refuses_in_time(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """A server that does not respond looks alive to TCP; ten senders at once are refused in time nevertheless."""
    box = opened(server.url())
    box.events.receive(event())
    server.freeze(frozen=True)
    try:
        with ThreadPoolExecutor(10) as pool:
            waits = list(pool.map(lambda _: refusal_seconds(lambda: box.events.receive(event())), range(10)))
    finally:
        server.freeze(frozen=False)
    assert max(waits) < IN_TIME
    assert not box.events.receive(event()).duplicate


@pytest.mark.usefixtures("patient")
def test_many_senders_all_get_a_connection(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """With more senders than connections each waits for its turn, and none is refused before its time is over."""
    box = opened(server.url())
    sent = [event() for _ in range(500)]
    with ThreadPoolExecutor(16) as pool:
        assert len({receipt.id for receipt in pool.map(box.events.receive, sent)}) == 500


@pytest.mark.usefixtures("patient")
def test_database_down_at_start(server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]) -> None:
    """A server that starts before its database refuses events until it can connect, then migrates and goes on."""
    url = server.url()
    server.stop()
    box = opened(url)
    with pytest.raises(StoreUnavailable):
        box.events.receive(event())
    server.start()
    assert not box.events.receive(event()).duplicate


# What a server sends when it has accepted a connection: no password is needed, it is writable, and ready.
READY = (
    b"R\0\0\0\x08\0\0\0\0"
    + b"".join(
        b"S" + (len(name + value) + 6).to_bytes(4, "big") + name + b"\0" + value + b"\0"
        for name, value in ((b"in_hot_standby", b"off"), (b"default_transaction_read_only", b"off"))
    )
    + b"Z\0\0\0\x05I"
)


def test_server_that_is_silent_after_the_connection_is_left_in_time() -> None:
    """As PgBouncer is, which accepts connections while PostgreSQL cannot be reached."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def accept() -> None:
            connection = stack.enter_context(listener.accept()[0])
            assert connection.recv(4096)
            connection.sendall(READY)

        thread = threading.Thread(target=accept)
        thread.start()
        options: dict[str, object] = {"host": "127.0.0.1", "port": listener.getsockname()[1], "sslmode": "disable"}
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match=r"did not respond within 0\.2 s"):
            BoundedConnection.connect(**options, target_session_attrs="read-write", connect_timeout=0.2)
        thread.join()
        assert time.monotonic() - began < IN_TIME


def test_locked_table_does_not_use_up_the_sessions(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that was given up ends in PostgreSQL too, while it waits for the lock, and stores nothing later."""
    monkeypatch.setattr(postgres_connection, "CHECK_CLIENT", postgres_connection.CHECK_CLIENT.replace("1s", "20ms"))
    database = urlsplit(server.url()).path.removeprefix("/")
    with server.connect(database) as holder, server.connect(database) as observer:
        observer.execute("CREATE TABLE held (id int)")
        with holder.transaction():
            holder.execute("LOCK TABLE held")
            for _ in range(2):
                connection = BoundedConnection.connect(observer.info.dsn, autocommit=True)
                connection.timeout = 0.05
                with pytest.raises(psycopg.OperationalError, match="did not respond"):
                    connection.execute("INSERT INTO held VALUES (1)")
            deadline = time.monotonic() + IN_TIME
            while observer.execute(WAITING).fetchone() != (0,):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert observer.execute("SELECT count(*) FROM held").fetchone() == (0,)


@pytest.mark.second_stage
def test_read_only_session_is_replaced(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """After a fail-over an event is refused while no session can write, and stored as soon as a new one can."""
    url = server.url()
    box = opened(url)
    box.events.receive(event())
    read_only(server, url, on=True)
    _end_sessions(server, url)
    assert refusal_seconds(lambda: box.events.receive(event())) < IN_TIME
    assert refusal_seconds(lambda: box.events.plan(lambda _: [NOTIFY])) < IN_TIME
    read_only(server, url, on=False)
    assert not box.events.receive(event()).duplicate
    assert box.events.plan(lambda _: [NOTIFY]) == 2


def test_session_that_becomes_read_only_is_not_used_again(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """A pooled session that turned read-only is closed when it fails, and the same event is stored by another one."""
    box = opened(server.url())
    box.events.receive(event())
    box.store.acknowledge("SELECT set_config('default_transaction_read_only', 'on', false)", ())
    for _ in range(5):
        assert not box.events.receive(event()).duplicate
    box.store.write(lambda connection: connection.execute(text("SET default_transaction_read_only = on")))
    assert box.events.plan(lambda _: [NOTIFY]) == 6


def test_mistake_is_raised_and_its_connection_kept(server: Server, opened: Callable[..., Inbox]) -> None:
    """A wrong value is not mistaken for an outage, but a missing table is; the connection serves the next statement."""
    box = opened(server.url())
    (first,) = box.store.acknowledge("SELECT pg_backend_pid()", ())
    with pytest.raises(psycopg.errors.DivisionByZero):
        box.store.acknowledge("SELECT 1 / 0", ())
    with pytest.raises(StoreUnavailable, match="no_such_table"):
        box.store.acknowledge("SELECT * FROM no_such_table", ())
    assert box.store.acknowledge("SELECT pg_backend_pid()", ()) == (first,)


@pytest.mark.second_stage
def test_pool_logs_nothing_while_the_database_is_down(
    server: Server, opened: Callable[..., Inbox], event: Callable[..., Event], caplog: pytest.LogCaptureFixture
) -> None:
    """The inbox logs one line for an outage; the pool's own lines for each attempt to connect are left out."""
    box = opened(server.url())
    box.events.receive(event())
    server.stop()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            refusal_seconds(lambda: box.events.receive(event()))
    assert [record.name for record in caplog.records] == ["webhooks.inbox.events.events"]


def test_session_that_ends_during_a_statement_written_by_hand_is_discarded(
    server: Server, opened: Callable[..., Inbox], caplog: pytest.LogCaptureFixture
) -> None:
    """The read or write fails, the pool logs no error, and the next one has another session."""
    box, other = opened(url := server.url()), opened(url)
    query, delete = "SELECT key FROM state WHERE key = ?", "DELETE FROM state WHERE key = ?"
    for run, statement in (
        (box.store.read, lambda connection: raw_sql.rows(connection, query, "x")),
        (box.store.write, lambda connection: raw_sql.execute(connection, delete, "x")),
        (box.store.write, lambda connection: raw_sql.execute_many(connection, delete, [("x",), ("y",)])),
    ):

        def lose(connection: Connection, statement: Callable[[Connection], object] = statement) -> None:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.store.scalar(text("SELECT pg_terminate_backend(:pid)").bindparams(pid=pid))
            statement(connection)

        with caplog.at_level(logging.WARNING), pytest.raises(StoreUnavailable):
            run(lose)
        # psycopg itself logs a warning if the session ends while it sends several statements at once.
        assert not [record for record in caplog.records if not record.name.startswith("psycopg")]
        run(statement)


@pytest.mark.usefixtures("patient")
def test_behind_pgbouncer_everything_works(
    pooled_url: str, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """In transaction mode consecutive transactions use different sessions: no prepared statement, no LISTEN."""
    box = opened(pooled_url)
    ran: list[int] = []

    def run(job: Job, _: Callable[[], bool]) -> None:
        box.checkpoints.set(job, "sent", job.id)
        assert box.checkpoints.get(job, "sent") == job.id
        ran.append(job.id)

    worker = Worker(box, planner=lambda _: [NOTIFY], run=run, threads=4)
    worker.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            sent = [event() for _ in range(300)]
            receipts = list(pool.map(box.events.receive, sent))
            copies = list(pool.map(box.events.receive, sent))
        deadline = time.monotonic() + 120
        while len(ran) < 300:
            assert time.monotonic() < deadline, f"{len(ran)} of 300 jobs ran"
            time.sleep(0.05)
    finally:
        worker.stop(5)
    assert not any(receipt.duplicate for receipt in receipts)
    assert all(copy.duplicate for copy in copies)
    assert {copy.id for copy in copies} == {receipt.id for receipt in receipts}
    assert len(ran) == len(set(ran)) == 300
    assert {record.job.state for entry in box.events.list(limit=300) for record in entry.jobs} == {JobState.DONE}
    with box.sessions.lock("k"):
        box.sessions.save("k", b"value")
    assert box.sessions.load("k") == b"value"
    assert box.locks.acquire("monitor", "me", 60)
    box.store.reclaim_space()


def _end_sessions(server: Server, url: str) -> None:
    name = urlsplit(url).path.removeprefix("/")
    with server.connect("postgres") as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
