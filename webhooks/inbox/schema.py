"""The tables of the inbox. Times are seconds since 1970 (UTC) as floats, which both databases compare alike."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
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
)

metadata = MetaData()

# SQLite generates ids only in a column of exactly this type.
Id = BigInteger().with_variant(Integer(), "sqlite")


class Bytes(LargeBinary):
    """Binary data, read as the driver returns it: a value of another type must not make its row unreadable."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Return None: no conversion."""


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
# The conditions of the partial indexes in indexes.py, as text: a partial index is not used for a bound parameter.
UNPLANNED = "events.state = 0"
OPEN = "jobs.state IN (0, 1)"
URGENT = "jobs.urgent = 1"
DEAD = "jobs.state = 4"
DECLARED = "task LIKE 'declared %'"

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
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
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
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    # Keys chosen by handlers must not collide with those of the framework.
    Column("namespace", Text, primary_key=True),
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

# Content as last seen on the site, so that the message about a deletion can name it and its owner.
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

# Events that the server created itself, with their reason, and what identifies the real event if it arrives later.
synthetic_events = Table(
    "synthetic_events",
    metadata,
    Column("event_id", Id, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("resource_luid", Text),
    Column("happened_at", Double, nullable=False),
)
Index("synthetic_events_resource", synthetic_events.c.resource_luid, synthetic_events.c.event_type)

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
    Column("incident_id", Id, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False, index=True),
    # The incident's key at that time.
    Column("incident_key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("acted_at", Double, nullable=False),
    Column("author", Text, nullable=False),
    Column("until", Double),
    Column("text", Text, nullable=False, server_default=""),
    Column("job_luid", Text),
)

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

# Presses of buttons that were received, so that each is carried out once.
presses = Table(
    "presses",
    metadata,
    Column("key", Text, primary_key=True),
    Column("received_at", Double, nullable=False),
)

# The message about an incident at a destination.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("incident_id", Id, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
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
    Column("group_id", Id, ForeignKey("notice_groups.id", ondelete="SET NULL"), index=True),
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

# People who are signed in to the pages. The key is a digest: the database does not contain what a browser sends.
page_sessions = Table(
    "page_sessions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    # Which sites and projects the role is limited to.
    Column("scope", Text, nullable=False, server_default="{}"),
    Column("address", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    # What identifies the person at the identity provider; empty after a sign-in with the password.
    Column("subject", Text, nullable=False, server_default=""),
    # Browser and system in a few words.
    Column("browser", Text, nullable=False, server_default=""),
    # When it was last used, to some minutes.
    Column("seen_at", Double),
)

# What programs sign in with; the key is a digest, too.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scope", Text, nullable=False, server_default="{}"),
    Column("author", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    sqlite_autoincrement=True,
)

# Failed sign-ins to the pages by address.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("address", Text, primary_key=True),
    Column("since", Double, nullable=False),
    Column("number", Integer, nullable=False),
)

# Everything that people and programs did. Triggers refuse changes; `digest` covers the row and the digest before it.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("acted_at", Double, nullable=False),
    Column("author", Text, nullable=False),
    # Where it was done: on a page, on the command line, in Slack.
    Column("origin", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False, server_default=""),
    Column("digest", Text, nullable=False),
    sqlite_autoincrement=True,
)

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

# The workbooks that use a data source, as a job last saw them: a JSON list of objects.
downstream = Table(
    "downstream",
    metadata,
    Column("resource_luid", Text, primary_key=True),
    Column("workbooks", Text, nullable=False),
    Column("looked_up_at", Double, nullable=False),
)

# The jobs that count against a limit per day, by the action and what it changes.
action_uses = Table(
    "action_uses",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
)
Index("action_uses_key", action_uses.c.key, action_uses.c.job_id)
