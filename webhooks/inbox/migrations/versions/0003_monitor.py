"""Add notes, resources, and events that the server made itself (0004 renames two of them)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("noted_at", sa.Double, nullable=False),
    )
    op.create_table(
        "resources",
        sa.Column("luid", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("site_luid", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Double),
        sa.Column("gone_at", sa.Double),
    )
    op.create_table(
        "made",
        sa.Column(
            "event_id", Id, sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("resource_luid", sa.Text),
        sa.Column("happened_at", sa.Double, nullable=False),
    )
    op.create_index("made_about", "made", ["resource_luid", "event_type"])
