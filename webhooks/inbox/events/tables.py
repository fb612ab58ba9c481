"""The tables of events."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, SmallInteger, Table, Text

from webhooks.inbox.schema import Bytes, Id, metadata

RECEIVED, PLANNED, IGNORED = 0, 1, 2
EVENT_STATES = {RECEIVED: "received", PLANNED: "planned", IGNORED: "ignored"}

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("fingerprint", Bytes, nullable=False, unique=True),
    Column("body", Bytes, nullable=False),
    # For searching only; `body` holds the request as received.
    Column("event_type", Text, nullable=False),
    Column("resource_luid", Text),
    Column("resource_name", Text),
    Column("site_luid", Text),
    Column("received_at", Double, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("duplicates", Integer, nullable=False, server_default="0"),
    # The version of the rules by which the event was planned.
    Column("rules_version", Id),
    # Ids are used outside as idempotency keys, so none may be used twice.
    sqlite_autoincrement=True,
)
# The condition of a partial index, see indexes.py, as text: a partial index is not used for a bound parameter.
UNPLANNED = "events.state = 0"

# Events that the server created itself, with their reason, and what identifies the real event if it arrives later.
synthetic_events = Table(
    "synthetic_events",
    metadata,
    Column("event_id", Id, ForeignKey(events.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("resource_luid", Text),
    Column("happened_at", Double, nullable=False),
)
Index("synthetic_events_resource", synthetic_events.c.resource_luid, synthetic_events.c.event_type)
