"""Store with which password each session of the pages was started, so that lists leave out those that it has ended.

Rolling deployment: the column has a default, so that processes of the previous version go on; sessions that they start
are listed until they expire.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("page_sessions", sa.Column("password_mark", sa.Text, nullable=False, server_default=""))
