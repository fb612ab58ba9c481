"""Store what watches, versions of rules, sessions and the audit log need.

Rolling deployment: every table is new or has defaults, so that processes of the previous version go on.
"""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
