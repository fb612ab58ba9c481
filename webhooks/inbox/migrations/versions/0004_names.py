"""Name tables, columns, handlers and alert events by the terms of the field; give checkpoints a namespace.

All data is kept. The ids of events and jobs do not change, nor do the fingerprints of events.

Rolling deployment: a process of the previous version goes on receiving events after this migration, because the columns
it writes are unchanged. All else that it does fails until it is replaced: its worker logs "Taking jobs failed", its
/readyz responds 500, and a job that it is running fails at its next checkpoint, is retried, or is taken over when its
lease ends. It writes nothing under the old names, because those tables no longer exist.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

HANDLERS = {"tell": "monitor_alert", "announce": "dead_letters", "planning": "planning_failed"}
EVENT_TYPES = {
    "OurWebhooksChanged": "WebhooksDrifted",
    "NothingReceived": "NoEventsReceived",
    "WatchIsBlind": "WebhookCheckFailed",
    "OurCertificateEnds": "CertificateExpiring",
    "CredentialEnds": "CredentialExpiring",
}
BATCH = 500


def upgrade() -> None:
    _copy_checkpoints()
    op.rename_table("notes", "state")
    op.execute("ALTER TABLE state RENAME COLUMN noted_at TO updated_at")
    op.execute("ALTER TABLE jobs RENAME COLUMN told_at TO announced_at")
    op.drop_index("made_about", "made")
    op.rename_table("made", "synthetic_events")
    op.create_index("synthetic_events_resource", "synthetic_events", ["resource_luid", "event_type"])
    _rename_handlers()
    _rename_state_keys()
    _rename_alerts()


def _copy_checkpoints() -> None:
    """Copy the steps to the table with namespaces, and decide who had chosen each key.

    The key "conditions" is the framework's where the job has conditions. "notify …" and "… wait N" came from the
    functions of the context with those names, "surprise N" from the worker, "told" from an announcement.
    """
    op.create_table(
        "checkpoints",
        sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
    )
    op.execute(
        """
        INSERT INTO checkpoints (job_id, namespace, key, value, recorded_at)
        SELECT steps.job_id,
               CASE WHEN steps.key = 'told' AND jobs.handler = 'announce'
                      OR steps.key = 'conditions' AND jobs.conditions <> '{}'
                      OR steps.key LIKE 'surprise %'
                      OR steps.key LIKE 'notify %'
                      OR steps.key LIKE '% wait %'
                    THEN 'framework' ELSE 'handler' END,
               CASE WHEN steps.key = 'told' AND jobs.handler = 'announce' THEN 'announced'
                    WHEN steps.key LIKE 'surprise %' THEN 'unexpected error ' || substr(steps.key, 10)
                    ELSE steps.key END,
               steps.value, steps.recorded_at
        FROM steps JOIN jobs ON jobs.id = steps.job_id
        """
    )
    op.drop_table("steps")


def _rename_handlers() -> None:
    """Rename the keys of jobs as well, so that a replay finds the job instead of adding a second one."""
    jobs = sa.table("jobs", sa.column("handler"), sa.column("key"), sa.column("rule"))
    alert = (jobs.c.handler == "tell", jobs.c.key.like("watch/%"))
    key = sa.literal("monitor/").concat(sa.func.substr(jobs.c.key, len("watch/") + 1))
    op.execute(sa.update(jobs).where(*alert).values(key=key, rule="monitor"))
    failed = (jobs.c.handler == "planning", jobs.c.key == "planning")
    op.execute(sa.update(jobs).where(*failed).values(key="planning_failed"))
    for old, new in HANDLERS.items():
        op.execute(sa.update(jobs).where(jobs.c.handler == old).values(handler=new))


def _rename_state_keys() -> None:
    """Rename the keys under which the monitor stores its last finding: an event type, followed by a site's key."""
    state = sa.table("state", sa.column("key"))
    for old, new in EVENT_TYPES.items():
        key = sa.literal(new).concat(sa.func.substr(state.c.key, len(old) + 1))
        this = sa.or_(state.c.key == old, state.c.key.like(f"{old} %"))
        op.execute(sa.update(state).where(this).values(key=key))


def _rename_alerts() -> None:
    """Rename types and origin of the monitor's alerts, also in their payloads, from which messages are made."""
    events = sa.table("events", sa.column("id", Id), sa.column("body", sa.LargeBinary), sa.column("event_type"))
    synthetic = sa.table("synthetic_events", sa.column("event_id", Id), sa.column("origin"), sa.column("event_type"))
    connection = op.get_bind()
    alerts = sa.select(events.c.id, events.c.body).join_from(events, synthetic, synthetic.c.event_id == events.c.id)
    last = 0
    while True:
        page = alerts.where(synthetic.c.origin == "watch", events.c.id > last).order_by(events.c.id).limit(BATCH)
        rows = connection.execute(page).all()
        if not rows:
            break
        for row in rows:
            payload = json.loads(bytes(row.body))
            payload["event_type"] = EVENT_TYPES.get(payload["event_type"], payload["event_type"])
            payload["origin"] = "monitor"
            body = json.dumps(payload, ensure_ascii=False).encode()
            this = sa.update(events).where(events.c.id == row.id)
            connection.execute(this.values(body=body, event_type=payload["event_type"]))
        last = rows[-1].id
    for old, new in EVENT_TYPES.items():
        alert = (synthetic.c.origin == "watch", synthetic.c.event_type == old)
        op.execute(sa.update(synthetic).where(*alert).values(event_type=new))
    op.execute(sa.update(synthetic).where(synthetic.c.origin == "watch").values(origin="monitor"))
