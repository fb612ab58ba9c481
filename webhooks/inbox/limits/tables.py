"""The tables of limits that all processes share."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, SmallInteger, Table, Text

from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.schema import Id, metadata

# Calls that wait for their time within a limit of a service, by the limit's key.
slots = Table(
    "slots",
    metadata,
    Column("key", Text, primary_key=True),
    Column("job_id", Id, primary_key=True, autoincrement=False),
    Column("rank", SmallInteger, nullable=False),
    # When the call may be made, and when it was first asked for, by the wall clock.
    Column("due_at", Double, nullable=False),
    Column("asked_at", Double, nullable=False),
)
Index("slots_due", slots.c.key, slots.c.due_at)

# The jobs that count against a limit per day, by the action and what it changes.
action_uses = Table(
    "action_uses",
    metadata,
    Column("job_id", Id, ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
)
Index("action_uses_key", action_uses.c.key, action_uses.c.job_id)
