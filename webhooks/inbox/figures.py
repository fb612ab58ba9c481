"""Figures for metrics and health checks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select, text

from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import DEAD, OPEN, UNPLANNED, events, jobs
from webhooks.job import JobState


def count(store: Store) -> dict[str, float]:
    """Return backlog, dead letters, age of the oldest due job in seconds, newest event, and bytes on disk."""
    queries: dict[str, Select[Any]] = {
        "events": select(func.max(events.c.id)),
        "unplanned": select(func.count()).select_from(events).where(text(UNPLANNED)),
        "ready": select(func.count()).select_from(jobs).where(text(OPEN), jobs.c.state == JobState.READY),
        "running": select(func.count()).select_from(jobs).where(text(OPEN), jobs.c.state == JobState.RUNNING),
        "dead": select(func.count()).select_from(jobs).where(text(DEAD)),
        "oldest_due": select(store.now_sql() - func.min(jobs.c.due_at)).where(text(OPEN)),
        "newest_event": select(events.c.received_at).order_by(events.c.id.desc()).limit(1),
    }
    figures = store.read(
        lambda connection: {name: connection.execute(query).scalar() for name, query in queries.items()}
    )
    return {name: max(float(value or 0), 0.0) for name, value in figures.items()} | {"bytes": float(store.size())}
