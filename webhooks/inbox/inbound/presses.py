"""Presses of buttons, and acts by links and in other services: each is stored once, with the press or report."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.access.audit import log_act
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.inbound.slack_names import known_name
from webhooks.inbox.inbound.tables import presses
from webhooks.inbox.incidents.acts import insert_act, refresh_incident
from webhooks.inbox.incidents.incidents import Incidents
from webhooks.inbox.incidents.records import IncidentRecord
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.incidents.updates import lock_incidents
from webhooks.inbox.jobs.rows import insert_jobs, job_row
from webhooks.inbox.notices.tables import notice_groups, notices
from webhooks.incidents import Act
from webhooks.job import CLOSED, JOINT_ACT, REPEATED, SLACK_GROUP_PRESS, SLACK_PRESS, UNKNOWN, NewJob

# Seconds for which a press is remembered; its signature is refused long before.
REMEMBERED = 86_400.0
# The keys of replies by text message begin with this. They are remembered for good.
SMS_PREFIX = "sms "
# An answer is of no use to the person later than the few minutes that these attempts take.
MAX_ATTEMPTS = 5


# The states of incidents that an act changes, and those of the incidents of a group that one for all of them changes.
CHANGED_BY = {"acknowledge": {"open", "snoozed"}, "snooze": {"open", "acknowledged", "snoozed"}}
CHANGED_IN_GROUP = {"acknowledge": {"open", "snoozed"}, "snooze": {"open"}}
# The states that these acts lead to.
STATE_AFTER = {"acknowledge": "acknowledged", "snooze": "snoozed"}

# The numbers of the incidents with the notices about them.
MEMBERS = select(incidents.c.id).join(notices)
# The id of an alert that this server made: without characters that have a meaning in a pattern or in JSON.
ALERT = re.compile(r"[0-9A-Za-z-]{1,100}", re.ASCII)


class Presses:
    """Presses of buttons in messages about incidents."""

    def __init__(self, store: Store, incidents: Incidents) -> None:
        self._store, self._incidents = store, incidents

    def record(
        self, key: str, incident_id: int, incident_key: str, params: Mapping[str, Any], act: Act | None = None
    ) -> str | None:
        """Store a press, its act if it is one, and the job that answers the person.

        `key` identifies the press; the same press again is not stored, and None is returned for it. Otherwise returns
        why the act was not stored (UNKNOWN, CLOSED or REPEATED), or an empty text. `incident_key` identified the
        incident when the button was made, so that a button of another server finds none.
        """

        def record(connection: Connection) -> tuple[str | None, IncidentRecord | None]:
            wall = self._remember(connection, key)
            if wall is None:
                return None, None
            lock_incidents(self._store, connection, [incident_id])
            found = self._incidents.find(connection, incident_id, incident_key)
            problem = _problem({found.incident.state} if found else set(), CHANGED_BY[act.kind] if act else None)
            event_id = self._event(connection, [found.event_id] if found else [])
            values = {**params, "incident": incident_id, "problem": problem}
            if found and act and not problem and event_id is not None:
                # With the name of an earlier press, the message needs no second edit.
                by = known_name(connection, params.get("user", "")) or act.by
                own = (incident_id, found.incident.id, replace(act, at=from_timestamp(wall), by=by))
                values["act"] = insert_act(self._store, connection, *own, origin="Slack")
            # Before the jobs of the messages, so that they show the person's full name.
            self._answer(connection, event_id, NewJob(f"press {key}", SLACK_PRESS, params=values), wall)
            if "act" in values:
                refresh_incident(self._store, connection, incident_id, cause=f"act {values['act']}")
            return problem, found if "act" in values else None

        problem, changed = self._store.write(record)
        if act and changed:
            log_act(act.kind, f"incident {incident_id}", by=act.by, origin="Slack", event_id=changed.event_id)
        self._incidents.announce()
        return problem

    def record_group(self, key: str, group_id: int, params: Mapping[str, Any], act: Act | None = None) -> str | None:
        """Store a press about all incidents of a group, an act for each that it changes, and the job that shows them.

        Returns the same as `record`. The press must be of the message that the group has now, so that a button of
        another server finds none. The job computes the incidents: for hundreds it takes longer than Slack waits.
        """

        def record(connection: Connection) -> tuple[str | None, list[RowMapping]]:
            wall = self._remember(connection, key)
            if wall is None:
                return None, []
            stored = connection.execute(select(notice_groups.c.posted).where(notice_groups.c.id == group_id)).scalar()
            message = (json.loads(stored) if stored else {}).get("message") or {}
            is_current = (message.get("channel"), message.get("id")) == (params["channel"], params["message"])
            theirs = MEMBERS.where(notices.c.group_id == group_id)
            members = self._members(connection, theirs) if is_current else []
            changing = CHANGED_IN_GROUP[act.kind] if act else None
            problem = _problem({row["state"] for row in members}, changing)
            changed = [row for row in members if row["state"] in (changing or ())]
            event_id = self._event(connection, [row["event_id"] for row in members])
            values = {**params, "group": group_id, "problem": problem, "acts": [], "incidents": []}
            if act and event_id is not None:
                by = known_name(connection, params.get("user", "")) or act.by
                pressed = replace(act, at=from_timestamp(wall), by=by)
                values["acts"] = self._insert_acts(connection, changed, pressed, "Slack")
                values["incidents"] = [row["id"] for row in changed]
            self._answer(connection, event_id, NewJob(f"press {key}", SLACK_GROUP_PRESS, params=values), wall)
            return problem, changed if values["acts"] else []

        problem, changed = self._store.write(record)
        if act:
            _log_acts(changed, act, "Slack", group_id)
        self._incidents.announce()
        return problem

    def act_together(self, group_id: int, chosen: Collection[int], act: Act, *, origin: str) -> int:
        """Store an act for each of the chosen incidents of a group that it changes, and the job that shows them.

        Returns how many incidents it changes. `origin` is where it was done.
        """

        def save(connection: Connection) -> list[RowMapping]:
            theirs = MEMBERS.where(notices.c.group_id == group_id, incidents.c.id.in_(chosen))
            return self._act_on(connection, self._members(connection, theirs), act, origin, group_id)

        changed = self._store.write(save)
        _log_acts(changed, act, origin, group_id)
        self._incidents.announce()
        return len(changed)

    def record_alert(self, key: str, alert: str, act: Act, *, origin: str) -> int | None:
        """Store what a person did about an alert in another service, for each incident of the alert that it changes.

        `key` identifies the report of the service; the same report again is not stored, and None is returned for it.
        Otherwise returns how many incidents are changed. `alert` is the id of the message that was posted there.
        """
        if not ALERT.fullmatch(alert):
            return 0
        stored = json.dumps({"id": alert})[1:-1]
        of_incident = MEMBERS.where(notices.c.posted.contains(stored))
        groups = select(notice_groups.c.id).where(notice_groups.c.posted.contains(stored))
        of_group = MEMBERS.where(notices.c.group_id.in_(groups))

        def save(connection: Connection) -> list[RowMapping] | None:
            if self._remember(connection, f"{origin} {key}") is None:
                return None
            still_open = [query.where(incidents.c.closed_at.is_(None)) for query in (of_incident, of_group)]
            return self._act_on(connection, self._members(connection, *still_open), act, origin)

        changed = self._store.write(save)
        _log_acts(changed or (), act, origin)
        self._incidents.announce()
        return None if changed is None else len(changed)

    def _members(self, connection: Connection, *queries: Select[int]) -> Sequence[RowMapping]:
        """Return the incidents with these numbers, each once, as they are until the end of the transaction."""
        ids = {number for query in queries for number in connection.execute(query).scalars()}
        lock_incidents(self._store, connection, ids)
        columns = incidents.c.id, incidents.c.key, incidents.c.state, incidents.c.event_id
        # Read after the lock: others may have acted until then.
        return (
            connection.execute(select(*columns).where(incidents.c.id.in_(ids)).order_by(incidents.c.id))
            .mappings()
            .all()
        )

    def _act_on(
        self, connection: Connection, rows: Iterable[RowMapping], act: Act, origin: str, group_id: int | None = None
    ) -> list[RowMapping]:
        """Store the act for those incidents that it changes, and the job that computes them; return their rows."""
        changed = [row for row in rows if row["state"] in CHANGED_IN_GROUP[act.kind]]
        if not changed:
            return []
        wall = self._store.to_wall(self._store.now(connection))
        ids = self._insert_acts(connection, changed, replace(act, at=from_timestamp(wall)), origin)
        params = {"incidents": [row["id"] for row in changed], "origin": origin, "group": group_id}
        event_id = self._event(connection, [row["event_id"] for row in changed])
        self._answer(connection, event_id, NewJob(f"joint act {ids[0]}", JOINT_ACT, params=params), wall)
        return changed

    def _insert_acts(self, connection: Connection, rows: Collection[RowMapping], act: Act, origin: str) -> list[int]:
        """Store the act for each of these incidents, and what it changes: the next act may come before the job."""
        quiet = {"state": STATE_AFTER[act.kind], "quiet_by": act.by, "quiet_until": act.until and act.until.timestamp()}
        these = incidents.c.id.in_([row["id"] for row in rows])
        # As the job will compute it: an end that is over changes nothing.
        if act.until is None or act.until > act.at:
            connection.execute(update(incidents).where(these).values(quiet))
        return [insert_act(self._store, connection, row["id"], row["key"], act, origin=origin) for row in rows]

    def _remember(self, connection: Connection, key: str) -> float | None:
        """Return the time, or None if the press was stored before."""
        wall = self._store.to_wall(self._store.now(connection))
        forget_old(connection, wall)
        new = self._store.upsert(presses).on_conflict_do_nothing(index_elements=["key"]).returning(presses.c.key)
        is_new = connection.execute(new, {"key": key, "received_at": wall}).first() is not None
        return wall if is_new else None

    def _event(self, connection: Connection, known: Iterable[int | None]) -> int | None:
        """Return the event that the job belongs to, as every job needs one: that of an incident may have expired."""
        ids = [event_id for event_id in known if event_id is not None]
        found: int | None = max(ids) if ids else connection.execute(select(func.max(events.c.id))).scalar()
        return found

    def _answer(self, connection: Connection, event_id: int | None, job: NewJob, wall: float) -> None:
        if event_id is not None:
            urgent = replace(job, max_attempts=MAX_ATTEMPTS, urgent=True)
            times = {"due_at": self._store.now(connection), "created_at": wall}
            insert_jobs(connection, [job_row(event_id, urgent) | times])


def _log_acts(changed: Iterable[RowMapping], act: Act, origin: str, group_id: int | None = None) -> None:
    group = "" if group_id is None else f" group={group_id}"
    for row in changed:
        log_act(act.kind, f"incident {row['id']}{group}", by=act.by, origin=origin, event_id=row["event_id"])


def _problem(states: set[str], changing: set[str] | None) -> str:
    """Return why an act that changes incidents in the states `changing` (None: no act) changes nothing in these."""
    if not states:
        return UNKNOWN
    if changing is None or states & changing:
        return ""
    return CLOSED if states == {"closed"} else REPEATED


def forget_old(connection: Connection, wall: float) -> None:
    """Delete what was remembered for a day, except for replies by SMS; `wall` is the time in seconds since 1970."""
    old = (presses.c.received_at < wall - REMEMBERED, presses.c.key.not_like(f"{SMS_PREFIX}%"))
    connection.execute(delete(presses).where(*old))
