"""Test that migrations keep all data, run once, and make the schema that the code uses."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Executable, create_engine, insert, select, text

from tests.support.databases import NOTIFY, Clock, some_event
from webhooks.event import Event
from webhooks.inbox import MISSING, Inbox, Migrate, Namespace, Resource, migrate
from webhooks.inbox.all_tables import metadata
from webhooks.inbox.dump_schema import dump_schema
from webhooks.inbox.events.tables import events
from webhooks.inbox.indexes import PARTIAL_INDEXES
from webhooks.inbox.migrate import is_current
from webhooks.job import Job, NewJob
from webhooks.worker.worker import Worker

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
# The time at which the databases in DATA were made.
MADE_AT = 1_795_594_211.0
DAY = 86_400.0
RESOURCE = ("workbook", "s", "Sales", "Ann", "Finance", 2.5)
OPEN_AND_RECEIVE = """
import sys
from tests.support.databases import some_event
from webhooks.inbox import Inbox
inbox = Inbox.open(sys.argv[1])
inbox.events.receive(some_event(int(sys.argv[2])))
inbox.close()
"""


def test_head_is_the_newest_revision() -> None:
    """The constant that lets most starts skip the migrations names the newest one."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "webhooks/inbox/migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_new_databases_are_what_the_migrations_make() -> None:
    """A new SQLite database is created by statements instead of migrations, and is exactly the same."""
    again = "run .venv/bin/python -m webhooks.inbox.dump_schema"
    assert migrate.NEW_DATABASE.read_text(encoding="utf-8") == dump_schema(), again


def test_migrations_make_the_schema_of_the_code(inbox: Inbox, url: str) -> None:
    """Alembic finds no difference between the tables of the migrations and those of the code."""
    assert all(index.table in metadata.sorted_tables for index in PARTIAL_INDEXES)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_four_processes_migrate_an_empty_database_at_once(url: str, opened: Callable[..., Inbox]) -> None:
    """Four processes open an empty database at the same moment, and each can use it."""
    arguments = [sys.executable, "-c", OPEN_AND_RECEIVE, url]
    processes = [subprocess.Popen([*arguments, str(number)], cwd=ROOT) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(opened(url).events.list()) == 4


def test_first_schema_is_migrated(url: str, opened: Callable[..., Inbox], event: Callable[..., Event]) -> None:
    """A database of the first revision is migrated with its events."""
    _migrate(url, "0001")
    sent = event()
    row = {"fingerprint": sent.fingerprint, "body": sent.body, "event_type": sent.event_type, "received_at": 1.0}
    _execute(url, insert(events).values(**row))
    again = opened(url)
    assert again.events.plan(lambda _: [NOTIFY]) == 1
    assert len(again.jobs.claim("me", 1, 30)) == 1


@pytest.fixture
def old_url(url: str, sqlite_url: str) -> str:
    """Return the DATABASE_URL of a database that was made by revision 0003, the last one with the old names."""
    if url == sqlite_url:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript((DATA / "revision_0003.sqlite.sql").read_text())
    else:
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
            connection.execute((DATA / "revision_0003.postgres.sql").read_text())
    return url


def test_names_are_migrated_with_all_data(old_url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """Jobs, checkpoints, state and alerts of revision 0003 keep their meaning under the new names."""
    clock.seconds = MADE_AT
    box = opened(old_url, clock=clock)
    records = {record.event.id: record for record in box.events.list(limit=100)}
    jobs = {record.job.id: record for entry in records.values() for record in entry.jobs}
    assert {number: (record.job.key, record.job.handler, record.job.rule) for number, record in jobs.items()} == {
        1: ("R/notify/slack:#bi", "notify", "R"),
        2: ("R/notify/slack:#bi", "notify", "R"),
        3: ("dead letters 2", "dead_letters", "dead letters"),
        4: ("R/notify/slack:#bi", "notify", "R"),
        5: ("dead letters 4", "dead_letters", "dead letters"),
        6: ("R/notify/slack:#bi", "notify", "R"),
        7: ("planning_failed", "planning_failed", None),
        8: ("F/notify/slack:#finance", "notify", "F"),
        9: ("ticket", "ticket", None),
        10: ("monitor/slack:#bi", "monitor_alert", "monitor"),
    }
    assert [number for number, record in jobs.items() if record.announced_at] == [4, 2]
    framework, handler = Namespace.FRAMEWORK, Namespace.HANDLER
    conditions, ticket = jobs[8].job, jobs[9].job
    assert box.checkpoints.get(conditions, "conditions", namespace=framework) == "project Finance ~ Finance*"
    assert box.checkpoints.get(conditions, "conditions", namespace=handler) is MISSING
    assert box.checkpoints.get(conditions, "notify slack:#finance 1", namespace=framework) == {"ts": "3.4"}
    assert box.checkpoints.get(ticket, "ticket", namespace=handler) == {"id": 17}
    assert box.checkpoints.get(ticket, "conditions", namespace=handler) == "mine"
    assert box.checkpoints.get(ticket, "unexpected error 1", namespace=framework) is None
    assert box.checkpoints.get(ticket, "notify slack 1 unanswered wait 1", namespace=framework) == "no answer"
    state = {"WebhooksDrifted", "WebhooksDrifted https://emea.example acme", "CredentialExpiring"}
    state |= {"reconcile", "credential used", "site_luid https://emea.example acme"}
    assert all(box.state.get(key) is not None for key in state)
    assert box.state.get("WebhooksDrifted") == ["WorkbookDeleted disabled"]
    alert, credential, reconciled, sent = (records[number].event for number in (8, 9, 10, 11))
    assert (alert.event_type, alert.origin, alert.payload["origin"]) == ("WebhooksDrifted", "monitor", "monitor")
    assert (credential.event_type, credential.origin) == ("CredentialExpiring", "monitor")
    assert credential.payload["text"] == "The token expires in 5 days: über"
    assert (reconciled.event_type, reconciled.origin) == ("WorkbookRefreshFailed", "reconciled")
    assert (sent.origin, sent.payload["origin"]) == (None, "watch")
    assert [record.event.id for record in box.events.list(event_types=["CredentialExpiring"])] == [9]
    assert box.synthetic_events.find_twin(replace(reconciled, id=99)) == 10
    assert (box.sessions.load("k"), box.resources.get("w-1")) == (b"\x00secret\xff", Resource("w-1", *RESOURCE))


def test_migrated_backlog_is_worked_off(old_url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """Unplanned events, ready jobs and the job of a dead worker run after the migration; dead jobs are announced."""
    clock.seconds = MADE_AT + DAY
    box = opened(old_url, clock=clock)
    box.dead_letters.announcements = [NewJob("dead letters", "dead_letters", params={"to": ["slack:#bi"]})]
    ran: dict[int, list[int | None]] = {}

    def run(job: Job, _: Callable[[], bool]) -> None:
        included = box.dead_letters.announce(job) if job.handler == "dead_letters" else []
        ran[job.id] = [record.job.id for record in included]

    worker = Worker(box, planner=lambda _: [NOTIFY], run=run, threads=1)
    worker.start()
    try:
        deadline = time.monotonic() + 20
        while len(ran) < 7 or box.counts()["running"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        worker.stop(1)
    assert ran == {5: [4, 6, 7], 8: [], 9: [], 10: [], 11: [], 12: [], 13: []}
    lost = box.events.get(6)
    assert lost
    assert [attempt.outcome for attempt in lost.jobs[0].attempts_made] == ["lost", "done"]
    assert box.dead_letters.unannounced() == []
    # A replay finds the job under its new key and adds no second one.
    box.events.replay([8])
    box.events.plan(lambda _: [NewJob("monitor/slack:#bi", "monitor_alert", rule="monitor")])
    replayed = box.events.get(8)
    assert replayed
    assert len(replayed.jobs) == 1


def test_refreshes_in_a_migrated_backlog_become_incidents(
    old_url: str, opened: Callable[..., Inbox], clock: Clock
) -> None:
    """Refresh events that a previous version received and did not plan are runs and incidents once they are planned."""
    clock.seconds = MADE_AT + DAY
    box = opened(old_url, clock=clock)
    backlog = select(events.c.id).where(text("events.state = 0"))
    unplanned = [row["id"] for row in box.store.rows(backlog)]
    changed = text("UPDATE events SET body = :body, event_type = :event_type WHERE id = :id")
    times = iter(("2026-11-25T02:00:00Z", "2026-11-25T03:00:00Z"))
    for event_id, outcome in zip(unplanned, ("Failed", "Succeeded"), strict=False):
        event = some_event(1, f"WorkbookRefresh{outcome}", resource="EXTRACTS", created_at=next(times))
        values = {"body": event.body, "event_type": event.event_type, "id": event_id}
        assert box.store.execute(changed, [values]) == 1
    while box.events.plan(lambda _: [NOTIFY]):
        pass
    (one,) = box.incidents.list()
    assert one.incident.failures == 1
    assert one.incident.state == ("closed" if len(unplanned) > 1 else "open")
    assert {run.event_ids[0] for run in box.runs.list()} == set(unplanned[:2])


def test_newer_schema_is_refused(url: str, opened: Callable[..., Inbox]) -> None:
    """An older server does not touch the database of a newer one."""
    opened(url).close()
    _execute(url, text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RuntimeError, match="9999, made by a newer version"):
        opened(url)


def test_commands_do_not_migrate_the_schema_of_a_running_server(old_url: str, opened: Callable[..., Inbox]) -> None:
    """A command names the revision that it needs and leaves the database to the server of the older version."""
    for allowed in (Migrate.NEVER, Migrate.IF_EMPTY):
        with pytest.raises(RuntimeError, match=f"is revision 0003; this version needs {migrate.HEAD}"):
            opened(old_url, migrate=allowed)
    opened(old_url).close()
    assert opened(old_url, migrate=Migrate.NEVER).events.get(1)


def test_commands_that_only_read_create_no_database(url: str, tmp_path: Path, opened: Callable[..., Inbox]) -> None:
    """In the wrong folder, or before the first start of the server, a command says that there is no inbox."""
    with pytest.raises(RuntimeError, match="no inbox yet; the server creates it"):
        opened(url, migrate=Migrate.NEVER)
    assert not list(tmp_path.iterdir())
    opened(url, migrate=Migrate.IF_EMPTY).close()
    assert opened(url, migrate=Migrate.NEVER).events.list() == []


def _execute(url: str, statement: Executable) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def _migrate(url: str, revision: str) -> None:
    """Migrate an empty database to an old revision."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "webhooks/inbox/migrations"))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_current_sqlite_inbox_is_known_without_opening_it(tmp_path: Path) -> None:
    """A server does not start a process to migrate it; whatever else is at the address is uncertain and not changed."""
    database = tmp_path / "inbox.sqlite3"
    url = f"sqlite:///{database}"
    assert not is_current(url)
    assert list(tmp_path.iterdir()) == []
    database.touch()
    log = tmp_path / "inbox.sqlite3-wal"
    log.write_bytes(b"events")
    assert not is_current(url)
    assert log.read_bytes() == b"events"
    log.unlink()
    database.unlink()
    Inbox.open(url).close()
    assert is_current(url)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert not is_current(url)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE alembic_version")
    assert not is_current(url)
    database.write_bytes(b"no database" * 1000)
    assert not is_current(url)
    assert not is_current("postgresql+psycopg://nowhere.invalid/inbox")
