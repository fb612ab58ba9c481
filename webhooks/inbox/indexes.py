"""The partial indexes of the inbox, for Alembic's comparison of the schema with a database.

They need the dialects of both databases, whose import would take a tenth of the start of a command.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, text

from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.runs.tables import DECLARED, expected_runs


def _partial_index(name: str, *columns: Column[object], where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


PARTIAL_INDEXES = (
    _partial_index("events_unplanned", events.c.id, where="state = 0"),
    # One index serves ready jobs and expired leases, and stays as small as the backlog.
    _partial_index("jobs_open", jobs.c.due_at, jobs.c.id, where="state IN (0, 1)"),
    _partial_index("jobs_urgent", jobs.c.due_at, jobs.c.id, where="state IN (0, 1) AND urgent = 1"),
    _partial_index("jobs_dead", jobs.c.finished_at, where="state = 4"),
    # At most one open incident of a kind per resource.
    _partial_index(
        "incidents_open",
        incidents.c.site_luid,
        incidents.c.resource_luid,
        incidents.c.kind,
        where="closed_at IS NULL",
        unique=True,
    ),
    _partial_index("incidents_due", incidents.c.due_at, where="due_at IS NOT NULL"),
    # An hourly schedule of the same content has many more rows than its promise of freshness.
    _partial_index(
        "expected_runs_declared", expected_runs.c.resource_luid, expected_runs.c.expected_at, where=DECLARED
    ),
)
