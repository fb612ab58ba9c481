"""Store what actions have done, for their limits per day.

Rolling deployment: the table is new, so that processes of the previous version go on; what they do is not counted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and add columns to those that exist."""
    _create_action_uses()


def _create_action_uses() -> None:
    """Create the uses of actions, one for each job."""
    op.create_table(
        "action_uses",
        sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False),
    )
    op.create_index("action_uses_key", "action_uses", ["key", "job_id"])
