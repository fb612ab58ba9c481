"""Store from which browser each session of the pages is, and when it was last used.

Rolling deployment: the columns have defaults, so that processes of the previous version go on; sessions that they start
have no browser and no time of use.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add columns to tables that exist."""
    _extend_page_sessions()


def _extend_page_sessions() -> None:
    """Add what a list of sessions shows, and by what the sessions of one person are found."""
    op.add_column("page_sessions", sa.Column("subject", sa.Text, nullable=False, server_default=""))
    op.add_column("page_sessions", sa.Column("browser", sa.Text, nullable=False, server_default=""))
    op.add_column("page_sessions", sa.Column("seen_at", sa.Double))
