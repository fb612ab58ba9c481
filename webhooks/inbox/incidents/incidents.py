"""Stored incidents: find them, act on them, and store what is found out about them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, update

from webhooks.clock import from_timestamp
from webhooks.errors import UnknownIncident
from webhooks.inbox.access.audit import log_act
from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.store import Store
from webhooks.inbox.inbound.slack_names import remember_name
from webhooks.inbox.incidents.acts import insert_act, insert_refresh, lock_acts, refresh_incident
from webhooks.inbox.incidents.due import any_due, set_due, update_due
from webhooks.inbox.incidents.filters import in_group, incident_conditions
from webhooks.inbox.incidents.records import IncidentRecord, details_row, incident_records
from webhooks.inbox.incidents.retention import delete_closed
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.incidents.updates import FAILING, compute_incidents, lock_incidents, record_evidence
from webhooks.incidents import Act, IncidentFilter, ResourceDetails, RunEvidence
from webhooks.incidents.incident_filter import EVERY_INCIDENT

STATES = ("open", "acknowledged", "snoozed", "closed")
# Incidents that are computed in one transaction after an act on many.
ACTED_BATCH = 25


class Incidents:
    """All incidents; acts change them."""

    def __init__(self, store: Store, news: threading.Event, scope: Scope = WHOLE) -> None:
        self._store, self._news, self._scope = store, news, scope

    def list(
        self,
        chosen: IncidentFilter = EVERY_INCIDENT,
        *,
        group: int | None = None,
        offset: int = 0,
        limit: int | None = 100,
    ) -> Sequence[IncidentRecord]:
        """Return incidents without their runs, those that are open first and then by time, newest first.

        `group` is the number of a message that several share. At most `limit` after the first `offset` ones; None: all.
        """
        shared = () if group is None else (in_group(group),)
        query = (
            self._select(chosen, *shared)
            .order_by(incidents.c.closed_at.is_not(None), incidents.c.opened_at.desc(), incidents.c.id.desc())
            .limit(limit)
            .offset(offset or None)
        )
        return self._records(query)

    def closed(
        self,
        chosen: IncidentFilter = EVERY_INCIDENT,
        *,
        since: datetime,
        before: tuple[float, int] | None = None,
        limit: int = 50,
    ) -> Sequence[IncidentRecord]:
        """Return incidents that were closed after a time, the last first; `before` is the place where a page ended.

        A place is the time of the closing in seconds since 1970 and the number.
        """
        query = self._select(chosen, incidents.c.closed_at >= since.timestamp())
        if before is not None:
            at, number = before
            # Written so that both databases use the index.
            query = query.where(incidents.c.closed_at <= at, or_(incidents.c.closed_at < at, incidents.c.id < number))
        return self._records(query.order_by(incidents.c.closed_at.desc(), incidents.c.id.desc()).limit(limit))

    def page(
        self, chosen: IncidentFilter = EVERY_INCIDENT, *, before: int | None = None, limit: int = 50
    ) -> Sequence[IncidentRecord]:
        """Return incidents with smaller numbers than `before`, the greatest number first."""
        query = self._select(chosen)
        if before is not None:
            query = query.where(incidents.c.id < before)
        return self._records(query.order_by(incidents.c.id.desc()).limit(limit))

    def _select(self, chosen: IncidentFilter, *further: ColumnElement[bool]) -> Select[Any]:
        return select(incidents).where(*self._scope.incidents(), *incident_conditions(chosen), *further)

    def count_open(self) -> dict[tuple[str, str], int]:
        """Return the number of incidents that are not closed, by kind and state."""
        query = select(incidents.c.kind, incidents.c.state, func.count().label("number"))
        query = query.where(incidents.c.closed_at.is_(None), *self._scope.incidents())
        query = query.group_by(incidents.c.kind, incidents.c.state)
        return {(row["kind"], row["state"]): row["number"] for row in self._store.rows(query)}

    def get(self, incident_id: int) -> IncidentRecord:
        """Return an incident with its runs, its acts and its notices. Raises UnknownIncident."""
        return self._store.read(lambda connection: self._load(connection, incident_id))

    def of_resource(self, site_luid: str, resource_luid: str, at: datetime) -> IncidentRecord | None:
        """Return the failing incident of a resource that covers this time, else the newest one; None if none is."""
        own = (incidents.c.resource_luid == resource_luid, incidents.c.site_luid == site_luid, *self._scope.incidents())
        query = select(incidents.c.id, incidents.c.opened_at, incidents.c.closed_at)
        query = query.where(*own, incidents.c.kind == FAILING).order_by(incidents.c.opened_at.desc()).limit(20)

        def load(connection: Connection) -> IncidentRecord | None:
            rows = connection.execute(query).mappings().all()
            covering = [row for row in rows if row["opened_at"] <= at.timestamp() <= (row["closed_at"] or float("inf"))]
            newest = next(iter([*covering, *rows]), None)
            return self._load(connection, newest["id"]) if newest else None

        return self._store.read(load)

    def failing(self, site_luid: str) -> dict[str, tuple[str, str]]:
        """Return the kind and the name of the content of a site that fails now, by LUID."""
        columns = incidents.c.resource_luid, incidents.c.resource_kind, incidents.c.resource_name
        query = select(*columns).where(
            incidents.c.site_luid == site_luid.lower(), incidents.c.kind == FAILING, incidents.c.closed_at.is_(None)
        )
        query = query.where(*self._scope.incidents())
        rows = self._store.rows(query)
        return {row["resource_luid"]: (row["resource_kind"], row["resource_name"]) for row in rows}

    def act(
        self, incident_id: int, act: Act, *, origin: str = "server", is_in_audit_log: bool = False
    ) -> IncidentRecord:
        """Store an act and what it changes, and let the notices be updated. Raises UnknownIncident.

        `act.id` and `act.incident` are replaced by the stored ones. `origin` is where it was done, for the audit log;
        what the log had from the moment when it was asked for gets no second row.
        Nothing is stored if the same person has acknowledged it in the same way already: by a second click, for
        example, or a request that was repeated.
        """

        def save(connection: Connection) -> tuple[IncidentRecord, bool]:
            lock_incidents(self._store, connection, [incident_id])
            own = (incidents.c.id == incident_id, *self._scope.incidents())
            key = connection.execute(select(incidents.c.key).where(*own)).scalar()
            if key is None:
                raise UnknownIncident(f"There is no incident {incident_id}")
            if act.kind == "acknowledge" and not act.text:
                record = self._load(connection, incident_id)
                current = (record.incident.state, record.incident.quiet_by, record.incident.quiet_until)
                if current == ("acknowledged", act.by, act.until):
                    return record, False
            act_id = insert_act(
                self._store, connection, incident_id, key, act, origin=None if is_in_audit_log else origin
            )
            refresh_incident(self._store, connection, incident_id, cause=f"act {act_id}")
            return self._load(connection, incident_id), True

        record, is_new = self._store.write(save)
        if is_new:
            log_act(act.kind, f"incident {incident_id}", by=act.by, origin=origin, event_id=record.event_id)
            self.announce()
        return record

    def request_refresh(self, incident_id: int, *, by: str, origin: str) -> None:
        """Add an urgent job that refreshes the content of an incident, and its row of the audit log.

        Raises UnknownIncident.
        """

        def request(connection: Connection) -> int | None:
            record = self._load(connection, incident_id)
            insert_refresh(self._store, connection, incident_id, record.event_id, by=by, origin=origin)
            return record.event_id

        event_id = self._store.write(request)
        log_act("refresh", f"incident {incident_id}", by=by, origin=origin, event_id=event_id)
        self.announce()

    def name_author(self, act_id: int, author: str, *, slack_user: str = "") -> None:
        """Replace the author of an act by a better name of the same person, and let the notices be updated.

        The name is remembered for the next acts of that person in Slack.
        """

        def save(connection: Connection) -> None:
            lock_acts(self._store, connection, [act_id])
            if slack_user:
                remember_name(self._store, connection, slack_user, author)
            this = (acts.c.id == act_id, acts.c.author != author)
            if connection.execute(update(acts).where(*this).values(author=author)).rowcount:
                incident_id = connection.execute(select(acts.c.incident_id).where(acts.c.id == act_id)).scalar_one()
                refresh_incident(self._store, connection, incident_id, cause=f"act {act_id} author")

        self._store.write(save)
        self.announce()

    def name_authors(self, act_ids: Collection[int], author: str, *, slack_user: str) -> None:
        """Replace the author of acts by a better name of the same person, as `name_author`; `acted` shows it."""

        def save(connection: Connection) -> None:
            lock_acts(self._store, connection, act_ids)
            remember_name(self._store, connection, slack_user, author)
            connection.execute(update(acts).where(acts.c.id.in_(act_ids)).values(author=author))

        self._store.write(save)

    def acted(self, incident_ids: Sequence[int], *, cause: str) -> None:
        """Compute incidents with their new acts, a few in each transaction, and let the notices be updated."""

        def refresh(connection: Connection, ids: Sequence[int]) -> None:
            lock_incidents(self._store, connection, ids)
            stored = connection.execute(select(incidents.c.id).where(incidents.c.id.in_(ids))).scalars().all()
            for incident_id in stored:
                refresh_incident(self._store, connection, incident_id, cause=cause)

        for start in range(0, len(incident_ids), ACTED_BATCH):
            self._store.write(partial(refresh, ids=incident_ids[start : start + ACTED_BATCH]))
            self.announce()

    def find(self, connection: Connection, incident_id: int, key: str) -> IncidentRecord | None:
        """Return the incident with this number if the key is one of its names, within a transaction."""
        try:
            record = self._load(connection, incident_id)
        except UnknownIncident:
            return None
        return record if key in record.incident.ids else None

    def announce(self) -> None:
        """Let the worker of this process look for jobs at once; call it after a commit."""
        self._news.set()

    def wake(self, limit: int = 100) -> int:
        """Let the notices be updated of incidents that are due by time alone, and return how many there are."""
        # Read without a lock first, so that idle workers do not delay writers.
        if not self._store.read(partial(any_due, self._store)):
            return 0
        return self._store.write(partial(update_due, self._store, limit=limit))

    def save_due(self, incident_id: int, due_at: datetime) -> None:
        """Store when a message may become due by time alone; of several times the earliest one counts."""
        self._store.write(lambda connection: set_due(connection, incident_id, due_at))

    def learn(self, *pieces: RunEvidence) -> None:
        """Store what Tableau's job list says about runs, and what that changes, in one transaction."""

        def learn(connection: Connection) -> None:
            now = self._store.now(connection)
            record_evidence(self._store, connection, pieces, now=now, wall=self._store.to_wall(now))

        self._store.write(learn)

    def save_details(self, incident_id: int, details: ResourceDetails) -> None:
        """Store what Tableau says of the resource."""
        self._store.execute(update(incidents).where(incidents.c.id == incident_id).values(**details_row(details)))

    def delete_before(self, before: float, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Delete incidents that closed before that time (seconds since 1970), and return how many."""
        return delete_closed(self._store, before, stopping=stopping)

    def _records(self, query: Select[Any]) -> Sequence[IncidentRecord]:
        return self._store.read(
            lambda connection: incident_records(connection, connection.execute(query).mappings().all())
        )

    def _load(self, connection: Connection, incident_id: int) -> IncidentRecord:
        own = (incidents.c.id == incident_id, *self._scope.incidents())
        row = connection.execute(select(incidents).where(*own)).mappings().first()
        if row is None:
            raise UnknownIncident(f"There is no incident {incident_id}")
        (record,) = incident_records(connection, [row])
        resource = (row["site_luid"], row["resource_luid"])
        wall = from_timestamp(self._store.to_wall(self._store.now(connection)))
        computed = compute_incidents(connection, {resource: record.incident.opened_at}, wall, row["kind"])
        found = next((one for one in computed[resource] if row["key"] in one.ids), None)
        return replace(record, incident=found) if found else record
