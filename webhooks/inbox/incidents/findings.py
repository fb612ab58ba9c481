"""Findings of checks: the evidence of incidents that are not about runs, such as those of the server's own side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, select

from webhooks.clock import from_timestamp
from webhooks.event import MONITOR, Event
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.synthetic import insert_synthetic
from webhooks.inbox.incidents.finding_rows import finding_row, findings_of
from webhooks.inbox.incidents.incidents import Incidents
from webhooks.inbox.incidents.records import IncidentRecord
from webhooks.inbox.incidents.tables import findings, incidents
from webhooks.inbox.incidents.updates import refresh_incidents
from webhooks.inbox.records import Receipt
from webhooks.incidents import Finding
from webhooks.incidents.incident import IncidentKind

OPEN = select(incidents.c.opened_at).where(
    incidents.c.kind == bindparam("kind"),
    incidents.c.site_luid == bindparam("site_luid"),
    incidents.c.resource_luid == bindparam("resource_luid"),
    incidents.c.closed_at.is_(None),
)


class Findings:
    """The findings of checks about a resource: a problem, or that there is none any more."""

    def __init__(self, store: Store, news: threading.Event, incidents: Incidents) -> None:
        self._store, self._news, self._incidents = store, news, incidents

    def record(
        self, kind: IncidentKind, finding: Finding, event: Event | None = None, *, event_id: int | None = None
    ) -> Receipt | None:
        """Store a finding and the incident that it opens, changes or closes, with jobs for the notices.

        `event` is stored in the same transaction; its jobs notify of a new incident. Without one, the jobs belong to
        the stored event `event_id`, or to the last event of the incident. A finding with the name of a stored one
        changes nothing. Returns the receipt of the event.
        """
        receipt = self._store.write(
            lambda connection: self.record_in(connection, kind, finding, event, event_id=event_id)
        )
        self._news.set()
        return receipt

    def record_in(
        self,
        connection: Connection,
        kind: IncidentKind,
        finding: Finding,
        event: Event | None = None,
        *,
        event_id: int | None = None,
    ) -> Receipt | None:
        """Do the same within a transaction."""
        self._store.serialize(connection, [finding.resource_luid])
        now = self._store.now(connection)
        wall = self._store.to_wall(now)
        receipt = insert_synthetic(self._store, connection, event, MONITOR, finding.at) if event else None
        own_id = receipt.id if receipt else None
        row = {**finding_row(kind, finding), "recorded_at": wall, "event_id": own_id}
        names = ["kind", "site_luid", "resource_luid", "name"]
        connection.execute(self._store.upsert(findings).on_conflict_do_nothing(index_elements=names), row)
        resource = (finding.site_luid, finding.resource_luid)
        refresh_incidents(
            connection,
            {resource: finding.at},
            {resource: own_id or event_id},
            now=now,
            wall=wall,
            kind=kind,
            # A finding without an event adds jobs to one that may have such jobs already.
            cause="" if own_id else f"finding {finding.first_name}",
        )
        return receipt

    def open_since(self, kind: IncidentKind, resource_luid: str, *, site_luid: str = "") -> datetime | None:
        """Return when the open incident of this kind of a resource opened; None if none is open."""
        values = {"kind": kind, "site_luid": site_luid, "resource_luid": resource_luid}
        found = self._store.scalar(OPEN, values)
        return None if found is None else from_timestamp(found)

    def last(self, kind: IncidentKind, resource_luid: str, *, site_luid: str = "") -> Finding | None:
        """Return the last finding of this kind about a resource, or None."""
        found = self._store.read(lambda connection: findings_of(connection, kind, (site_luid, resource_luid)))
        return max(found, key=lambda one: (one.at, one.problem, one.first_name), default=None)

    def newest(self, kind: IncidentKind, resource_luid: str, *, site_luid: str = "") -> IncidentRecord | None:
        """Return the newest incident of this kind of a resource, or None."""
        same = (incidents.c.resource_luid == resource_luid, incidents.c.site_luid == site_luid)
        own = select(incidents.c.id).where(*same, incidents.c.kind == kind).order_by(incidents.c.opened_at.desc())
        incident_id = self._store.scalar(own.limit(1))
        return None if incident_id is None else self._incidents.get(incident_id)

    def incident_of(self, event_id: int) -> IncidentRecord | None:
        """Return the incident of which the event of a finding is evidence; None if it is not, or was deleted."""

        def find(connection: Connection) -> int | None:
            query = select(findings).where(findings.c.event_id == event_id).order_by(findings.c.id).limit(1)
            found = connection.execute(query).mappings().first()
            if found is None:
                return None
            same = [incidents.c[name] == found[name] for name in ("kind", "site_luid", "resource_luid")]
            own = select(incidents.c.id).where(*same, incidents.c.opened_at <= found["found_at"])
            incident_id: int | None = connection.execute(own.order_by(incidents.c.opened_at.desc()).limit(1)).scalar()
            return incident_id

        incident_id = self._store.read(find)
        return None if incident_id is None else self._incidents.get(incident_id)

    def delete_before(self, before: float, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Delete findings from before that time (seconds since 1970) that belong to no stored incident.

        Returns how many were deleted.
        """
        if stopping():
            return 0
        same = (
            incidents.c.resource_luid == findings.c.resource_luid,
            incidents.c.site_luid == findings.c.site_luid,
            incidents.c.kind == findings.c.kind,
            incidents.c.opened_at <= findings.c.found_at,
        )
        return self._store.execute(delete(findings).where(findings.c.found_at < before, ~exists().where(*same)))
