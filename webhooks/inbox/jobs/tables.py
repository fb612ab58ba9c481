"""The tables of jobs, their attempts and their checkpoints, and of the services for which they wait."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Integer, SmallInteger, Table, Text, UniqueConstraint

from webhooks.inbox.events.tables import events
from webhooks.inbox.schema import Id, metadata

# The conditions of partial indexes, see indexes.py, as text: a partial index is not used for a bound parameter.
OPEN = "jobs.state IN (0, 1)"
URGENT = "jobs.urgent = 1"
DEAD = "jobs.state = 4"

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("event_id", Id, ForeignKey(events.c.id, ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("rule", Text),
    Column("handler", Text, nullable=False),
    Column("params", Text, nullable=False, server_default="{}"),
    Column("conditions", Text, nullable=False, server_default="{}"),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    # For a ready job the time it may run, for a running job the end of its lease.
    Column("due_at", Double, nullable=False),
    Column("owner", Text),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    # For a dead job the time an announcement included it.
    Column("announced_at", Double),
    # A person waits for its result; a thread of each worker is reserved for such jobs.
    Column("urgent", SmallInteger, nullable=False, server_default="0"),
    UniqueConstraint("event_id", "key"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("job_id", Id, ForeignKey(jobs.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("job_id", Id, ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    # Keys chosen by handlers must not collide with those of the framework.
    Column("namespace", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("recorded_at", Double, nullable=False),
)

# Services that are unavailable; the times are those of the clock of due times.
outages = Table(
    "outages",
    metadata,
    Column("service", Text, primary_key=True),
    Column("since", Double, nullable=False),
    # When a job tries the service next.
    Column("trial_at", Double, nullable=False),
    # The job whose call failed first, and whether a call of another one has failed.
    Column("first_job", Id, nullable=False),
    Column("confirmed", SmallInteger, nullable=False),
)

# The jobs whose calls failed because a service was unavailable.
outage_jobs = Table(
    "outage_jobs",
    metadata,
    Column("job_id", Id, ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("service", Text, primary_key=True),
    # When its first call failed, when it is due if the service is still unavailable, and how often it was woken.
    Column("since", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("wakes", SmallInteger, nullable=False),
)
