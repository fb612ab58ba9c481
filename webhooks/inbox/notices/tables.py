"""The tables of messages about incidents, and of silences."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.schema import Id, metadata

# Messages that several incidents share at a destination: those of a storm, or those still open after a silence.
notice_groups = Table(
    "notice_groups",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("destination", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # When the last incident joined.
    Column("joined_at", Double, nullable=False),
    # The end of the silence whose summary it is.
    Column("summary_at", Double),
    # Counts the changes; `runner` is the job that shows them.
    Column("wanted", Integer, nullable=False),
    Column("runner", Id),
    # When the last reminder of one of the incidents was due.
    Column("remind_at", Double),
    Column("posted", Text),
    Column("shown", Text, nullable=False, server_default="{}"),
    Column("created_at", Double, nullable=False),
    Column("posted_at", Double),
    Column("updated_at", Double),
    Column("closed_at", Double),
)
Index("notice_groups_destination", notice_groups.c.destination, notice_groups.c.joined_at)

# The message about an incident at a destination.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("incident_id", Id, ForeignKey(incidents.c.id, ondelete="CASCADE"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("policy", Text, nullable=False),
    # The rule's own title and text.
    Column("template", Text, nullable=False, server_default="{}"),
    # Where the message is, as the notifier returned it; null until it was posted.
    Column("posted", Text),
    # The version of each part that was sent last: of the message and of each reply in its thread.
    Column("shown", Text, nullable=False, server_default="{}"),
    # When it could first be sent; null until then.
    Column("opened_at", Double),
    # The end of the silence that held it.
    Column("summary_at", Double),
    # It has a message of its own.
    Column("single", Integer, nullable=False, server_default="0"),
    # The message that it shares with others, or that lists it beside its own one.
    Column("group_id", Id, ForeignKey(notice_groups.c.id, ondelete="SET NULL"), index=True),
    Column("created_at", Double, nullable=False),
    Column("posted_at", Double),
    Column("updated_at", Double),
    UniqueConstraint("incident_id", "destination"),
)
Index("notices_destination", notices.c.destination, notices.c.opened_at)

silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("matchers", Text, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double),
    Column("weekly", Text),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    sqlite_autoincrement=True,
)
