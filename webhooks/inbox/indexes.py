"""The partial indexes of the inbox, for Alembic's comparison of the schema with a database.

They need the dialects of both databases, whose import would take a tenth of the start of a command.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, text

from webhooks.inbox.schema import events, jobs


def _partial_index(name: str, *columns: Column[object], where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


PARTIAL_INDEXES = (
    _partial_index("events_unplanned", events.c.id, where="state = 0"),
    # One index serves ready jobs and expired leases, and stays as small as the backlog.
    _partial_index("jobs_open", jobs.c.due_at, jobs.c.id, where="state IN (0, 1)"),
    _partial_index("jobs_dead", jobs.c.finished_at, where="state = 4"),
)
