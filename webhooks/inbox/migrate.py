"""Brings the schema up to date at the start, one process at a time."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from webhooks.inbox.databases.store import Store

HEAD = "0003"
"""The newest revision under migrations/versions; a test holds the two together."""


def upgrade(store: Store) -> None:
    """Runs what is missing of the migrations; safe to call from many processes at once.

    Raises RuntimeError for a database that a newer version of the server has migrated.
    """
    if store.version() == HEAD:
        return
    with store.migrating() as connection:
        found = revision(connection)
        if found is not None and found > HEAD:
            raise RuntimeError(
                f"The inbox's schema is {found}, made by a newer version of this server, which knows {HEAD}: "
                "use the newer version, or another DATABASE_URL"
            )
        if found != HEAD:
            _run(connection)


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for a fresh one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _run(connection: Connection) -> None:
    # Imported here: it takes a tenth of a second, and most starts need none of it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
