"""The schema: made by migrations, by one process at a time, and the same as the code believes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Executable, create_engine, insert, text

from tests.support.databases import NOTIFY
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox, migrate
from webhooks.inbox.schema import events, metadata

ROOT = Path(__file__).parents[2]
OPEN_AND_RECEIVE = """
import sys
from tests.support.databases import some_event
from webhooks.inbox import Inbox
inbox = Inbox.open(sys.argv[1])
inbox.events.receive(some_event(int(sys.argv[2])))
inbox.close()
"""


def test_head_is_newest_revision() -> None:
    """The constant that spares most starts a migration names the newest one."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "webhooks/inbox/migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_migrations_make_what_the_code_believes(inbox: Inbox, url: str) -> None:
    """Between the tables that migrations make and those in schema.py Alembic finds no difference."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_open_by_many_processes_at_once(url: str, opened: Callable[..., Inbox]) -> None:
    """Four processes open a fresh database at the same moment, and each can use it."""
    arguments = [sys.executable, "-c", OPEN_AND_RECEIVE, url]
    processes = [subprocess.Popen([*arguments, str(number)], cwd=ROOT) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(opened(url).events.list()) == 4


def test_open_older_schema_is_migrated(url: str, opened: Callable[..., Inbox], event: Callable[..., Event]) -> None:
    """A database of the first version is brought up to date with all that is in it."""
    _migrate(url, "0001")
    sent = event()
    row = {"fingerprint": sent.fingerprint, "body": sent.body, "event_type": sent.event_type, "received_at": 1.0}
    _execute(url, insert(events).values(**row))
    again = opened(url)
    assert again.events.plan(lambda _: [NOTIFY]) == 1
    assert len(again.jobs.claim("me", 1, 30)) == 1


def test_open_newer_schema_is_refused(url: str, opened: Callable[..., Inbox]) -> None:
    """An older server does not touch what a newer one has made."""
    opened(url).close()
    _execute(url, text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RuntimeError, match="9999, made by a newer version"):
        opened(url)


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_open_what_cannot_be_an_inbox_is_refused(url: str) -> None:
    """A database that keeps nothing, or that we do not know, is refused by name."""
    with pytest.raises(RuntimeError, match="DATABASE_URL"):
        Inbox.open(url)


def test_open_before_the_folder_is_there_works_later(tmp_path: Path, event: Callable[..., Event]) -> None:
    """A server may start before its disk is mounted: until then it refuses, then it works."""
    blocker = tmp_path / "data"
    blocker.write_text("a file where the folder should be")
    inbox = Inbox.open(f"sqlite:///{blocker / 'inbox.sqlite3'}")
    with pytest.raises(StoreUnavailable):
        inbox.events.receive(event())
    blocker.unlink()
    assert not inbox.events.receive(event()).duplicate
    inbox.close()


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
