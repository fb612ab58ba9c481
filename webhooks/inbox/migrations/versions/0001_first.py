"""Create events, jobs, attempts, steps, sessions and locks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("resource_luid", sa.Text),
        sa.Column("resource_name", sa.Text),
        sa.Column("site_luid", sa.Text),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("duplicates", sa.Integer, nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    _partial_index("events_unplanned", "events", ["id"], "state = 0")
    op.create_table(
        "jobs",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("event_id", Id, sa.ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("rule", sa.Text),
        sa.Column("handler", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False, server_default="{}"),
        sa.Column("conditions", sa.Text, nullable=False, server_default="{}"),
        sa.Column("state", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("told_at", sa.Double),
        sa.UniqueConstraint("event_id", "key"),
    )
    create_other_tables()
    if op.get_bind().dialect.name == "postgresql":
        tune_postgresql()


def create_other_tables() -> None:
    _partial_index("jobs_open", "jobs", ["due_at", "id"], "state IN (0, 1)")
    _partial_index("jobs_dead", "jobs", ["finished_at"], "state = 4")
    op.create_table(
        "attempts",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "steps",
        sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", sa.Double, nullable=False),
    )
    op.create_table(
        "locks",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def tune_postgresql() -> None:
    """Leave room on the pages of jobs, whose rows change a few times in seconds, and vacuum them early."""
    vacuum = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500"
    op.execute(f"ALTER TABLE jobs SET (fillfactor = 70, {vacuum})")
    op.execute("ALTER TABLE events SET (fillfactor = 85)")
    # A hint for idle workers, sent with the commit: it adds no statement to the acknowledgement path.
    op.execute(
        "CREATE FUNCTION inbox_news() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('inbox', ''); RETURN NULL; END $$"
    )
    op.execute("CREATE TRIGGER inbox_news AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION inbox_news()")
