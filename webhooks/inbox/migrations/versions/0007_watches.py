"""Store what watches, versions of rules, sessions and the audit log need.

Rolling deployment: every table is new or has defaults, so that processes of the previous version go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# SQLite has no functions; PostgreSQL's triggers are one.
SQLITE_APPEND_ONLY = """
CREATE TRIGGER audit_no_{word} BEFORE {word} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""
POSTGRES_REFUSE = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$
"""
POSTGRES_APPEND_ONLY = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
"""


def upgrade() -> None:
    """Create the tables, and add columns to those that exist."""
    _describe_content()
    _create_findings()
    _create_counters()
    _store_included_rules()
    _list_refreshed_content()
    _create_sign_ins()
    _create_audit()
    _create_expected_runs()


def _describe_content() -> None:
    """Add what Tableau says of an incident's content; null until a job has asked."""
    op.add_column("incidents", sa.Column("tags", sa.Text))
    op.add_column("incidents", sa.Column("upstream", sa.Text))


def _store_included_rules() -> None:
    """Add the texts of the files that a version of the rules includes; null if there are none."""
    op.add_column("rule_versions", sa.Column("included", sa.Text))


def _list_refreshed_content() -> None:
    """Create the list of content that has runs, with what is known of it."""
    op.create_table(
        "refreshed_content",
        sa.Column("resource_luid", sa.Text, primary_key=True),
        sa.Column("site_luid", sa.Text, nullable=False),
        sa.Column("resource_kind", sa.Text, nullable=False),
        sa.Column("resource_name", sa.Text, nullable=False),
    )
    op.create_index("incidents_closed", "incidents", ["closed_at", "id"])
    op.create_index("refreshed_content_name", "refreshed_content", ["resource_name", "resource_luid"])
    op.execute(
        "INSERT INTO refreshed_content (resource_luid, site_luid, resource_kind, resource_name) SELECT resource_luid, "
        "max(site_luid), max(resource_kind), max(resource_name) FROM runs GROUP BY resource_luid"
    )


def _create_sign_ins() -> None:
    """Create the sessions of the pages, the tokens of programs, and the failed sign-ins."""
    op.create_table(
        "page_sessions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False, server_default="{}"),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False, server_default="{}"),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
    )


def _create_audit() -> None:
    """Create the audit log, which can only be appended to."""
    op.create_table(
        "audit",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("acted_at", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False, server_default=""),
        sa.Column("digest", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    if op.get_context().dialect.name == "sqlite":
        for word in ("UPDATE", "DELETE"):
            op.execute(SQLITE_APPEND_ONLY.format(word=word))
    else:
        op.execute(POSTGRES_REFUSE)
        op.execute(POSTGRES_APPEND_ONLY)


def _create_expected_runs() -> None:
    """Create the table of the refreshes that schedules announce."""
    op.create_table(
        "expected_runs",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("site_luid", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("resource_luid", sa.Text, nullable=False),
        sa.Column("resource_kind", sa.Text, nullable=False),
        sa.Column("resource_name", sa.Text, nullable=False, server_default=""),
        sa.Column("expected_at", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("came_at", sa.Double),
        sa.UniqueConstraint("site_luid", "task", "expected_at"),
    )
    op.create_index("expected_runs_state", "expected_runs", ["state", "expected_at"])
    op.create_index("expected_runs_time", "expected_runs", ["expected_at"])


def _create_findings() -> None:
    """Create the table of what checks found, the evidence of incidents that are not about runs."""
    op.create_table(
        "findings",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("site_luid", sa.Text, nullable=False),
        sa.Column("resource_luid", sa.Text, nullable=False),
        sa.Column("resource_kind", sa.Text, nullable=False),
        sa.Column("resource_name", sa.Text, nullable=False),
        sa.Column("found_at", sa.Double, nullable=False),
        sa.Column("problem", sa.SmallInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reason_class", sa.Text),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("since", sa.Double),
        sa.Column("needs_success", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("event_id", Id),
        sa.Column("recorded_at", sa.Double, nullable=False),
        sa.UniqueConstraint("kind", "site_luid", "resource_luid", "name"),
    )
    op.create_index("findings_resource", "findings", ["resource_luid", "kind", "found_at"])


def _create_counters() -> None:
    """Create the table of the numbers for metrics."""
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
