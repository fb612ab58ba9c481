"""The tables of what the server's processes share."""

from __future__ import annotations

from sqlalchemy import Column, Double, LargeBinary, Table, Text

from webhooks.inbox.schema import Id, metadata

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

# The clock of leases in a SQLite file; PostgreSQL has a clock of its own.
clock = Table(
    "clock",
    metadata,
    Column("boot", Text, primary_key=True),
    Column("offset", Double, nullable=False),
)

# Numbers for metrics that only grow, of all processes together.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Double, nullable=False),
)

# A small persistent key-value store, for example for the time until which events were reconciled.
state = Table(
    "state",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", Double, nullable=False),
)

# The activated versions of the rules file; the newest is in force.
rule_versions = Table(
    "rule_versions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("digest", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("activated_at", Double, nullable=False),
    # The texts of the files that the text includes, by their names, as a JSON object; null if there are none.
    Column("included", Text),
)
