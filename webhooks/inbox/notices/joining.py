"""Find what a notice can share a message with: a group that it can join, or the openings it can form one with."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select

from webhooks.clock import from_timestamp
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.notices.tables import notice_groups, notices
from webhooks.inbox.records import optional_time
from webhooks.incidents.grouping import OWN_REASONS, UPSTREAM_WINDOW, Opening, may_join, shared_upstream

# What the databases of an incident follow from.
UPSTREAM = (incidents.c.upstream, incidents.c.reason_class)


def running_group(connection: Connection, row: RowMapping, now: datetime) -> int | None:
    """Return the group that the notice of the row can join."""
    own = (notice_groups.c.destination == row["destination"], notice_groups.c.closed_at.is_(None))
    columns = select(notice_groups.c.id, notice_groups.c.kind, notice_groups.c.joined_at)
    newest = notice_groups.c.id.desc()
    if row["summary_at"] is not None:
        which = (notice_groups.c.kind == "summary", notice_groups.c.summary_at == row["summary_at"])
        return connection.execute(columns.where(*own, *which).order_by(newest).limit(1)).scalar()
    opening = _opening(row, at=now)
    running = (notice_groups.c.kind != "summary", notice_groups.c.joined_at >= (now - UPSTREAM_WINDOW).timestamp())
    for one in connection.execute(columns.where(*own, *running).order_by(newest)).mappings().all():
        theirs = select(*UPSTREAM).join(notices).where(notices.c.group_id == one["id"])
        known = connection.execute(theirs).mappings().all() if opening.upstream else []
        if may_join(one["kind"], from_timestamp(one["joined_at"]), shared_upstream(map(_upstream, known)), opening):
            return int(one["id"])
    return None


def recent_openings(connection: Connection, row: RowMapping, now: datetime) -> list[Opening]:
    """Return the openings that the notice can form a group with, itself included."""
    since = now - (timedelta(days=1) if row["summary_at"] is not None else UPSTREAM_WINDOW)
    own = (notices.c.destination == row["destination"], notices.c.group_id.is_(None))
    which = notices.c.summary_at.is_not_distinct_from(row["summary_at"])
    columns = (notices.c.id, notices.c.opened_at, notices.c.summary_at, notices.c.single, *UPSTREAM)
    query = select(*columns).join(incidents).where(*own, which, notices.c.opened_at >= since.timestamp())
    # A message of its own that was sent at the end of a silence is no part of a summary.
    return [
        _opening(one) for one in connection.execute(query).mappings() if one["summary_at"] is None or not one["single"]
    ]


def _opening(row: RowMapping, at: datetime | None = None) -> Opening:
    opened_at = at or from_timestamp(row["opened_at"])
    return Opening(str(row["id"]), opened_at, optional_time(row["summary_at"]), _upstream(row))


def _upstream(row: RowMapping) -> frozenset[str]:
    """Return the databases that the content of the incident reads, unless its reason has nothing to do with them."""
    if not row["upstream"] or row["reason_class"] in OWN_REASONS:
        return frozenset()
    return frozenset(json.loads(row["upstream"]))
