"""Store the activated versions of the rules, and the version that each event was planned by.

Rolling deployment: a process of the previous version goes on receiving, planning and running; the events that it plans
have no version.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rule_versions",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("activated_at", sa.Double, nullable=False),
    )
    op.add_column("events", sa.Column("rules_version", Id))
