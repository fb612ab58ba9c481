"""The tables of incidents, and of the findings and acts that they follow from."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, SmallInteger, Table, Text, UniqueConstraint

from webhooks.inbox.schema import Id, metadata

# The result of the last computation, for lists and searches; `runs` and `acts` decide.
incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    # What identifies the incident when it is computed again.
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("site_luid", Text, nullable=False),
    Column("resource_luid", Text, nullable=False),
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    # As last seen in Tableau; empty until a job has looked.
    Column("project", Text, nullable=False, server_default=""),
    Column("owner", Text, nullable=False, server_default=""),
    Column("link", Text, nullable=False, server_default=""),
    # Why something could not be looked up.
    Column("problem", Text, nullable=False, server_default=""),
    # Of its refresh task in Tableau: the failures in a row that Tableau counts, and the next run.
    Column("strikes", Integer),
    Column("next_run_at", Double),
    # How many workbooks depend on it.
    Column("downstream", Integer),
    # Its tags, and the databases that it reads; null until a job has looked.
    Column("tags", Text),
    Column("upstream", Text),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("failures", Integer, nullable=False),
    Column("in_a_row", Integer, nullable=False),
    Column("last_failure_at", Double),
    Column("reason", Text, nullable=False),
    Column("reason_class", Text),
    Column("flapping", Integer, nullable=False),
    Column("quiet_until", Double),
    Column("quiet_by", Text, nullable=False),
    # The event that changed it last; jobs need one.
    Column("event_id", Id),
    # When a message may become due by time alone, by the wall clock.
    Column("due_at", Double),
    # A number is shown to people and must not be used twice.
    sqlite_autoincrement=True,
)
# For lists of closed incidents; those that are open have an index of their own.
Index("incidents_closed", incidents.c.closed_at, incidents.c.id)
Index("incidents_resource", incidents.c.resource_luid, incidents.c.kind, incidents.c.opened_at)
Index("incidents_content", incidents.c.resource_luid, incidents.c.opened_at)

# What checks found about a resource: the evidence of incidents that are not about runs.
findings = Table(
    "findings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("site_luid", Text, nullable=False),
    Column("resource_luid", Text, nullable=False),
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("found_at", Double, nullable=False),
    # 1: there is a problem, 0: there is none any more.
    Column("problem", SmallInteger, nullable=False),
    # Identifies the finding among those of its kind and resource.
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_class", Text),
    # How many problems it is about, and how bad they are: a higher level alerts people again.
    Column("number", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    # When what was found began, such as the time for which a missed refresh was scheduled.
    Column("since", Double),
    # 1: only a refresh that succeeds ends it.
    Column("needs_success", SmallInteger, nullable=False, server_default="0"),
    Column("event_id", Id),
    Column("recorded_at", Double, nullable=False),
    UniqueConstraint("kind", "site_luid", "resource_luid", "name"),
)
Index("findings_resource", findings.c.resource_luid, findings.c.kind, findings.c.found_at)

# What people and agents did about incidents.
acts = Table(
    "acts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("incident_id", Id, ForeignKey(incidents.c.id, ondelete="CASCADE"), nullable=False, index=True),
    # The incident's key at that time.
    Column("incident_key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("acted_at", Double, nullable=False),
    Column("author", Text, nullable=False),
    Column("until", Double),
    Column("text", Text, nullable=False, server_default=""),
    Column("job_luid", Text),
)
