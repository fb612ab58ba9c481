"""Store the places of calls that wait for a limit of a service, and which workbooks use a data source.

Rolling deployment: the tables are new, so that processes of the previous version go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and add columns to those that exist."""
    _create_slots()
    _create_downstream()


def _create_slots() -> None:
    """Create the calls that wait for their time; the limits have other keys from now on."""
    op.create_table(
        "slots",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("job_id", Id, primary_key=True, autoincrement=False),
        sa.Column("rank", sa.SmallInteger, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
    )
    op.create_index("slots_due", "slots", ["key", "due_at"])
    op.execute("DELETE FROM state WHERE key LIKE 'budget %'")


def _create_downstream() -> None:
    """Create the workbooks that use a data source, and indexes of all that the page of one resource shows."""
    op.create_table(
        "downstream",
        sa.Column("resource_luid", sa.Text, primary_key=True),
        sa.Column("workbooks", sa.Text, nullable=False),
        sa.Column("looked_up_at", sa.Double, nullable=False),
    )
    op.create_index("incidents_content", "incidents", ["resource_luid", "opened_at"])
    columns = ["resource_luid", "expected_at"]
    op.create_index("expected_runs_resource", "expected_runs", columns)
    declared = sa.text("task LIKE 'declared %'")
    op.create_index(
        "expected_runs_declared", "expected_runs", columns, sqlite_where=declared, postgresql_where=declared
    )
