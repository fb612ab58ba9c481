"""Brings the schema up to date at the start, one process at a time."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from webhooks.inbox.store import Store

HEAD = "0001"
"""The newest revision under migrations/versions; a test holds the two together."""


def upgrade(store: Store) -> None:
    """Runs what is missing of the migrations; safe to call from many processes at once."""
    with store.migrating() as connection:
        if _version(connection) != HEAD:
            _run(connection)


def _version(connection: Connection) -> str | None:
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
