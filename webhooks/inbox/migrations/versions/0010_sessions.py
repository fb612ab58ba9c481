"""Store from which browser each session of the pages is, and when it was last used; and services that are unavailable.

Rolling deployment: the columns have defaults, so that processes of the previous version go on; sessions that they start
have no browser and no time of use, and jobs that they retry are not due sooner after an outage.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and add columns to those that exist."""
    _extend_page_sessions()
    _create_outages()


def _extend_page_sessions() -> None:
    """Add what a list of sessions shows, and by what the sessions of one person are found."""
    op.add_column("page_sessions", sa.Column("subject", sa.Text, nullable=False, server_default=""))
    op.add_column("page_sessions", sa.Column("browser", sa.Text, nullable=False, server_default=""))
    op.add_column("page_sessions", sa.Column("seen_at", sa.Double))


def _create_outages() -> None:
    """Create the outages of services, and the jobs that wait for their ends."""
    op.create_table(
        "outages",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("trial_at", sa.Double, nullable=False),
        sa.Column("first_job", Id, nullable=False),
        sa.Column("confirmed", sa.SmallInteger, nullable=False),
    )
    op.create_table(
        "outage_jobs",
        sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("wakes", sa.SmallInteger, nullable=False),
    )
