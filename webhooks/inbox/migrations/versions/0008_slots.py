"""Store the places of calls that wait for a limit of a service.

Rolling deployment: the table is new, so that processes of the previous version go on.
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
