"""The tables of refreshes."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Table, Text, UniqueConstraint

from webhooks.inbox.schema import Id, metadata

# The condition of a partial index, see indexes.py, as text: a partial index is not used for a bound parameter.
DECLARED = "task LIKE 'declared %'"

# Refreshes of content, merged from events and from Tableau's job list. `evidence` holds what is known of each.
runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("site_luid", Text, nullable=False),
    Column("resource_luid", Text, nullable=False),
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    # The end of the run, or its start while no end is known.
    Column("happened_at", Double, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_class", Text),
    Column("job_luid", Text),
    Column("evidence", Text, nullable=False),
)
Index("runs_resource", runs.c.resource_luid, runs.c.happened_at)
Index("runs_time", runs.c.happened_at)

# The refreshes that schedules announce, and whether they came.
expected_runs = Table(
    "expected_runs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("site_luid", Text, nullable=False),
    # The LUID of the task in Tableau, or where else the time comes from.
    Column("task", Text, nullable=False),
    Column("resource_luid", Text, nullable=False),
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False, server_default=""),
    Column("expected_at", Double, nullable=False),
    # waiting, came, missed or withdrawn
    Column("state", Text, nullable=False),
    Column("came_at", Double),
    UniqueConstraint("site_luid", "task", "expected_at"),
)
Index("expected_runs_state", expected_runs.c.state, expected_runs.c.expected_at)
Index("expected_runs_time", expected_runs.c.expected_at)
Index("expected_runs_resource", expected_runs.c.resource_luid, expected_runs.c.expected_at)

# The content that has runs, for lists: `runs` is too long to look for it.
refreshed_content = Table(
    "refreshed_content",
    metadata,
    Column("resource_luid", Text, primary_key=True),
    Column("site_luid", Text, nullable=False),
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
)
Index("refreshed_content_name", refreshed_content.c.resource_name, refreshed_content.c.resource_luid)
