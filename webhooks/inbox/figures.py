"""Figures for metrics and health checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, or_, select, text

from webhooks.clock import from_timestamp
from webhooks.event_types import WEBHOOKS_DRIFTED
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import UNPLANNED, events, synthetic_events
from webhooks.inbox.jobs.tables import DEAD, OPEN, jobs, outages
from webhooks.inbox.limits.budgets import PREFIX as BUDGET
from webhooks.inbox.server.sight import SIGHT, SightRecord
from webhooks.inbox.server.tables import sessions, state
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.job import JobState

QUERIES: dict[str, Select[Any]] = {
    "events": select(func.max(events.c.id)),
    "unplanned": select(func.count()).select_from(events).where(text(UNPLANNED)),
    "oldest_unplanned": select(events.c.received_at).where(text(UNPLANNED)).order_by(events.c.id).limit(1),
    "ready": select(func.count()).select_from(jobs).where(text(OPEN), jobs.c.state == JobState.READY),
    "running": select(func.count()).select_from(jobs).where(text(OPEN), jobs.c.state == JobState.RUNNING),
    "dead": select(func.count()).select_from(jobs).where(text(DEAD)),
    "oldest_due": select(func.min(jobs.c.due_at)).where(text(OPEN)),
    # Not those of our own, such as the heartbeat's.
    "newest_event": select(events.c.received_at)
    .where(~exists().where(synthetic_events.c.event_id == events.c.id))
    .order_by(events.c.id.desc())
    .limit(1),
    "sessions": select(func.count()).select_from(sessions),
    "unavailable": select(func.count()).select_from(outages).where(outages.c.confirmed == 1),
}
# One statement: with PostgreSQL, each costs more than what it reads.
FIGURES = select(*(query.scalar_subquery().label(name) for name, query in QUERIES.items()))
# Facts about limits of services and about our webhooks, one for each limit and site.
REMEMBERED = select(state.c.key, state.c.value).where(
    or_(*(state.c.key.like(bindparam(None, f"{prefix}%")) for prefix in (BUDGET, CHECKED_AT, WEBHOOKS_DRIFTED, SIGHT)))
)


def count(store: Store) -> dict[str, float]:
    """Return backlog, dead letters, ages in seconds, limits, webhooks, newest event, and bytes on disk."""

    def read(connection: Connection) -> dict[str, Any]:
        shared = (store.now_sql().label("now"), store.size_sql().label("bytes"))
        figures = dict(connection.execute(FIGURES.add_columns(*shared)).mappings().one())
        now = figures.pop("now")
        wall = store.to_wall(now)
        for name, clock in (("oldest_due", now), ("oldest_unplanned", wall)):
            figures[name] = clock - figures[name] if figures[name] else 0
        rows = connection.execute(REMEMBERED).all()
        return figures | _remembered({row.key: json.loads(row.value) for row in rows}, wall)

    figures = store.read(read)
    return {name: max(float(value or 0), 0.0) for name, value in figures.items()}


def _remembered(values: Mapping[str, Any], wall: float) -> dict[str, float]:
    """Return the figures of limits and of webhooks."""
    waits = [max(value["until"], value["last"]) - wall for key, value in values.items() if key.startswith(BUDGET)]
    checked = [value for key, value in values.items() if key.startswith(CHECKED_AT) and value]
    drifted = [value for key, value in values.items() if key.startswith(WEBHOOKS_DRIFTED) and value]
    sights = [SightRecord.from_json(value) for key, value in values.items() if key.startswith(SIGHT) and value]
    unseen = [one.unseen_since(from_timestamp(wall)) for one in sights]
    return {
        "budgets_used": sum(wait > 0 for wait in waits),
        "budget_wait": max(waits, default=0.0),
        "drifted": sum(len(one) for one in drifted),
        "checked_at": min(checked, default=0.0),
        "unseen": max((wall - since.timestamp() for since in unseen if since), default=0.0),
    }
