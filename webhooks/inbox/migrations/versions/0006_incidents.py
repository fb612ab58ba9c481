"""Store runs, incidents, acts, notices and silences.

Rolling deployment: a process of the previous version goes on receiving and planning; the refreshes that it plans are
not recorded as runs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_runs()
    _create_incidents()
    _index_incidents()
    op.create_table(
        "acts",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("incident_id", Id, sa.ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("incident_key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("acted_at", sa.Double, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("until", sa.Double),
        sa.Column("text", sa.Text, nullable=False, server_default=""),
        sa.Column("job_luid", sa.Text),
    )
    op.create_index("ix_acts_incident_id", "acts", ["incident_id"])
    _create_notices()
    _create_silences()
    op.create_table(
        "presses",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("received_at", sa.Double, nullable=False),
    )
    op.add_column("jobs", sa.Column("urgent", sa.SmallInteger, nullable=False, server_default="0"))
    is_urgent = sa.text("state IN (0, 1) AND urgent = 1")
    op.create_index("jobs_urgent", "jobs", ["due_at", "id"], sqlite_where=is_urgent, postgresql_where=is_urgent)


def _create_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double),
        sa.Column("weekly", sa.Text),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("site_luid", sa.Text, nullable=False),
        sa.Column("resource_luid", sa.Text, nullable=False),
        sa.Column("resource_kind", sa.Text, nullable=False),
        sa.Column("resource_name", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("happened_at", sa.Double, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reason_class", sa.Text),
        sa.Column("job_luid", sa.Text),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    op.create_index("runs_resource", "runs", ["resource_luid", "happened_at"])
    op.create_index("runs_time", "runs", ["happened_at"])


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("site_luid", sa.Text, nullable=False),
        sa.Column("resource_luid", sa.Text, nullable=False),
        sa.Column("resource_kind", sa.Text, nullable=False),
        sa.Column("resource_name", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False, server_default=""),
        sa.Column("owner", sa.Text, nullable=False, server_default=""),
        sa.Column("link", sa.Text, nullable=False, server_default=""),
        sa.Column("problem", sa.Text, nullable=False, server_default=""),
        sa.Column("strikes", sa.Integer),
        sa.Column("next_run_at", sa.Double),
        sa.Column("downstream", sa.Integer),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("closed_at", sa.Double),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("in_a_row", sa.Integer, nullable=False),
        sa.Column("last_failure_at", sa.Double),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reason_class", sa.Text),
        sa.Column("flapping", sa.Integer, nullable=False),
        sa.Column("quiet_until", sa.Double),
        sa.Column("quiet_by", sa.Text, nullable=False),
        sa.Column("event_id", Id),
        sa.Column("due_at", sa.Double),
        sqlite_autoincrement=True,
    )


def _index_incidents() -> None:
    op.create_index("incidents_resource", "incidents", ["resource_luid", "kind", "opened_at"])
    is_open, is_due = sa.text("closed_at IS NULL"), sa.text("due_at IS NOT NULL")
    op.create_index(
        "incidents_open",
        "incidents",
        ["site_luid", "resource_luid", "kind"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("incidents_due", "incidents", ["due_at"], sqlite_where=is_due, postgresql_where=is_due)


def _create_notices() -> None:
    op.create_table(
        "notice_groups",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("joined_at", sa.Double, nullable=False),
        sa.Column("summary_at", sa.Double),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("runner", Id),
        sa.Column("remind_at", sa.Double),
        sa.Column("posted", sa.Text),
        sa.Column("shown", sa.Text, nullable=False, server_default="{}"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("posted_at", sa.Double),
        sa.Column("updated_at", sa.Double),
        sa.Column("closed_at", sa.Double),
    )
    op.create_index("notice_groups_destination", "notice_groups", ["destination", "joined_at"])
    op.create_table(
        "notices",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("incident_id", Id, sa.ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False, server_default="{}"),
        sa.Column("posted", sa.Text),
        sa.Column("shown", sa.Text, nullable=False, server_default="{}"),
        sa.Column("opened_at", sa.Double),
        sa.Column("summary_at", sa.Double),
        sa.Column("single", sa.Integer, nullable=False, server_default="0"),
        sa.Column("group_id", Id, sa.ForeignKey("notice_groups.id", ondelete="SET NULL")),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("posted_at", sa.Double),
        sa.Column("updated_at", sa.Double),
        sa.UniqueConstraint("incident_id", "destination"),
    )
    op.create_index("notices_destination", "notices", ["destination", "opened_at"])
    op.create_index("ix_notices_group_id", "notices", ["group_id"])
