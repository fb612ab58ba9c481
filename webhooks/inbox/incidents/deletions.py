"""Close the incidents of content that was deleted in Tableau: it will not be refreshed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from webhooks.clock import from_timestamp
from webhooks.event import Event, happened_at
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.incidents.updates import refresh_incidents
from webhooks.incidents.evidence import KINDS
from webhooks.incidents.wording import CONTENT_DELETED


@dataclass(frozen=True, slots=True)
class Deletion:
    """Content that an event reports as deleted."""

    resource_luid: str
    site_luid: str
    event_id: int | None
    at: datetime


def deletion(event: Event) -> Deletion | None:
    """Return the content that the event reports as deleted; None for other events and without a LUID."""
    if not event.type.content_gone or event.content_kind not in KINDS:
        return None
    luid, site_luid, at = event.resource_luid, event.site_luid, happened_at(event)
    if at is None or not isinstance(luid, str) or not isinstance(site_luid, str):
        return None
    return Deletion(luid.strip().lower(), site_luid.strip().lower(), event.id, at)


def close_deleted(
    store: Store, connection: Connection, deletions: Sequence[Deletion], *, now: float, wall: float
) -> None:
    """Close the open incidents of deleted content by an act, with jobs for their notices."""
    store.serialize(connection, [one.resource_luid for one in deletions])
    for one in deletions:
        own = (incidents.c.resource_luid == one.resource_luid, incidents.c.site_luid == one.site_luid)
        query = select(incidents).where(*own, incidents.c.closed_at.is_(None))
        for row in connection.execute(query).mappings().all():
            values = {
                "incident_id": row["id"],
                "incident_key": row["key"],
                "kind": "close",
                "acted_at": min(one.at.timestamp(), wall),
                "author": "Tableau",
                "text": CONTENT_DELETED,
            }
            connection.execute(insert(acts).values(values))
            resource = (row["site_luid"], row["resource_luid"])
            changed = {resource: from_timestamp(row["opened_at"])}
            refresh_incidents(
                connection,
                changed,
                {resource: one.event_id},
                now=now,
                wall=wall,
                kind=row["kind"],
                cause="deleted",
                always=True,
            )
