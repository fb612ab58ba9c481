"""Store what watches, versions of rules, sessions and the audit log need.

Rolling deployment: every table is new or has defaults, so that processes of the previous version go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables, and add columns to those that exist."""
    _describe_content()
    _store_included_rules()


def _describe_content() -> None:
    """Add what Tableau says of an incident's content; null until a job has asked."""
    op.add_column("incidents", sa.Column("tags", sa.Text))
    op.add_column("incidents", sa.Column("upstream", sa.Text))


def _store_included_rules() -> None:
    """Add the texts of the files that a version of the rules includes; null if there are none."""
    op.add_column("rule_versions", sa.Column("included", sa.Text))
