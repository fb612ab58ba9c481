"""Add a clock for leases that does not jump when the machine's clock is set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("boot", sa.Text, primary_key=True),
        sa.Column("offset", sa.Double, nullable=False),
    )
