"""Write the statements that create a new SQLite database: what all migrations leave in an empty one.

Run `python -m webhooks.inbox.dump_schema` after a change of a migration; a test compares the file with the migrations.
"""

from __future__ import annotations

from sqlalchemy import create_engine, text

from webhooks.inbox.migrate import HEAD, NEW_DATABASE, SEPARATOR, run_migrations

# Tables first; their order among themselves does not matter to SQLite.
QUERY = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type <> 'table', type, name"


def dump_schema() -> str:
    """Return the statements, separated by empty lines."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        run_migrations(connection)
        found = [*connection.execute(text(QUERY)).scalars(), f"INSERT INTO alembic_version VALUES ('{HEAD}')"]  # noqa: S608 - a constant
    engine.dispose()
    return SEPARATOR.join("\n".join(map(str.rstrip, statement.splitlines())) for statement in found) + "\n"


if __name__ == "__main__":
    NEW_DATABASE.write_text(dump_schema(), encoding="utf-8")
