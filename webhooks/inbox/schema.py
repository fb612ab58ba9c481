"""The inbox's tables. Times are seconds since 1970 (UTC) as floats, so that both databases compare them alike."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# SQLite counts rows by itself only in a column of exactly this type.
Id = BigInteger().with_variant(Integer(), "sqlite")

RECEIVED, PLANNED, IGNORED = 0, 1, 2
EVENT_STATES = {RECEIVED: "received", PLANNED: "planned", IGNORED: "ignored"}

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("fingerprint", LargeBinary, nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    # For searching only; what came in is in `body`.
    Column("event_type", Text, nullable=False),
    Column("resource_luid", Text),
    Column("resource_name", Text),
    Column("site_luid", Text),
    Column("received_at", Double, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("duplicates", Integer, nullable=False, server_default="0"),
    # An id is a promise to the outside (idempotency keys), so none is used twice.
    sqlite_autoincrement=True,
)
# These conditions stand as text in statements too: a partial index is not used for a value handed over.
UNPLANNED = "events.state = 0"
Index("events_unplanned", events.c.id, sqlite_where=text("state = 0"), postgresql_where=text("state = 0"))

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("event_id", Id, ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("rule", Text),
    Column("handler", Text, nullable=False),
    Column("params", Text, nullable=False, server_default="{}"),
    Column("conditions", Text, nullable=False, server_default="{}"),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    # Ready: when it may run. Running: when the lease ends.
    Column("due_at", Double, nullable=False),
    Column("owner", Text),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    # Dead: when somebody was told.
    Column("told_at", Double),
    UniqueConstraint("event_id", "key"),
)
# One index serves what is ready and what a dead worker left, and stays as small as the backlog.
OPEN = "jobs.state IN (0, 1)"
Index(
    "jobs_open",
    jobs.c.due_at,
    jobs.c.id,
    sqlite_where=text("state IN (0, 1)"),
    postgresql_where=text("state IN (0, 1)"),
)
DEAD = "jobs.state = 4"
Index("jobs_dead", jobs.c.finished_at, sqlite_where=text("state = 4"), postgresql_where=text("state = 4"))

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
)

steps = Table(
    "steps",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("recorded_at", Double, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("saved_at", Double, nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("key", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),
)

# The clock of leases in a SQLite file; PostgreSQL has its own.
clock = Table(
    "clock",
    metadata,
    Column("boot", Text, primary_key=True),
    Column("offset", Double, nullable=False),
)

# What the server has to know from one start to the next: how far it has caught up, what it has told.
notes = Table(
    "notes",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("noted_at", Double, nullable=False),
)

# What was on the site when we last looked, so that a deletion can say what it was and whose.
resources = Table(
    "resources",
    metadata,
    Column("luid", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("site_luid", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("updated_at", Double),
    Column("gone_at", Double),
)

# Events that we made ourselves, and why; what they are about, so that the real one is known when it comes after all.
made = Table(
    "made",
    metadata,
    Column("event_id", Id, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("resource_luid", Text),
    Column("happened_at", Double, nullable=False),
)
Index("made_about", made.c.resource_luid, made.c.event_type)
