"""Migrate the schema at start, one process at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from enum import Enum
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text

from webhooks.errors import SchemaMismatch, StoreUnavailable
from webhooks.inbox.databases.sqlite_files import uri
from webhooks.inbox.databases.store import Store

# The newest revision in migrations/versions; a test compares the two.
HEAD = "0011"
# The statements that make an empty SQLite database one of revision HEAD, in 3 ms instead of 60 ms.
NEW_DATABASE = Path(__file__).parent / "migrations" / "sqlite.sql"
# The statements of a trigger end with semicolons as well.
SEPARATOR = "\n\n"


def is_current(url: str) -> bool:
    """Return whether the database is an SQLite file with the schema that is needed; False where that is uncertain.

    It takes a millisecond and opens no inbox.
    """
    parsed = make_url(url)
    path = Path((parsed.database or "").removeprefix("file:"))
    try:
        # SQLite would delete the log of an empty file, in which events may be.
        if parsed.get_backend_name() != "sqlite" or not path.stat().st_size:
            return False
        with closing(sqlite3.connect(uri(path, create=False), uri=True, timeout=0)) as connection:
            return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    except (OSError, sqlite3.Error):
        return False


class Migrate(Enum):
    """The databases that may be migrated: a server migrates any, a command none that an older server may use."""

    ALWAYS = "any database"
    # For a process that replaces one which has used the inbox: without it acknowledged events are lost.
    EXISTING = "any database but an empty one"
    IF_EMPTY = "an empty database"
    NEVER = "no database"


def prepare(store: Store, migrate: Migrate) -> None:
    """Migrate the database if that is allowed.

    Raises RuntimeError if there is none, SchemaMismatch if its schema is not the one that is needed, and
    StoreUnavailable if it existed before.
    """
    if migrate is Migrate.EXISTING and not (store.exists() and store.revision()):
        raise StoreUnavailable(
            "The inbox was removed or emptied while the server runs. Events are refused until this is repaired: stop "
            "the server, restore the inbox (docs/howto/backup.md), and start the server again"
        )
    if migrate is Migrate.NEVER and not store.exists():
        raise RuntimeError("There is no inbox yet; the server creates it when it starts. Check DATABASE_URL")
    found = store.revision()
    if found == HEAD:
        return
    if found is None and migrate is Migrate.NEVER:
        raise RuntimeError("The database has no inbox yet; the server creates it when it starts. Check DATABASE_URL")
    if found is not None and found < HEAD and migrate not in {Migrate.ALWAYS, Migrate.EXISTING}:
        raise SchemaMismatch(
            f"The schema of the inbox is revision {found}; this version needs {HEAD}. Restart the server, which "
            "migrates it; a command does not, because a server of the older version may be running"
        )
    upgrade(store)


def upgrade(store: Store) -> None:
    """Run the missing migrations; safe to call from many processes at once.

    Raises SchemaMismatch for a database that was migrated by a newer version of the server.
    """
    with store.migrating() as connection:
        found = revision(connection)
        if found is not None and found > HEAD:
            raise SchemaMismatch(
                f"The schema of the inbox is revision {found}, made by a newer version of this server; "
                f"this version needs {HEAD}. Use the newer version, or another DATABASE_URL"
            )
        if found is None and connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
            for statement in NEW_DATABASE.read_text(encoding="utf-8").split(SEPARATOR):
                connection.exec_driver_sql(statement)
            found = revision(connection)
        if found == HEAD:
            return  # new, or migrated by another process meanwhile
        run_migrations(connection)


def run_migrations(connection: Connection) -> None:
    """Run the migrations that the database does not have yet, in the transaction of the connection."""
    # Imported here because it takes 0.2 s that most starts do not need.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """Return the revision of the database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version
