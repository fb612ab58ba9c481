"""The table of what people did in other services."""

from __future__ import annotations

from sqlalchemy import Column, Double, Table, Text

from webhooks.inbox.schema import metadata

# Presses of buttons that were received, so that each is carried out once.
presses = Table(
    "presses",
    metadata,
    Column("key", Text, primary_key=True),
    Column("received_at", Double, nullable=False),
)
