"""Presses of buttons: each is carried out once, in the transaction that records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents import Incidents
from webhooks.inbox.job_rows import insert_jobs, job_row
from webhooks.inbox.schema import events, presses
from webhooks.incidents import Act
from webhooks.job import CLOSED, REPEATED, SLACK_PRESS, UNKNOWN, NewJob

# Seconds for which a press is remembered; its signature is refused long before.
REMEMBERED = 86_400.0
# The keys of replies by text message begin with this. They are remembered for good.
SMS_PREFIX = "sms "
# An answer is of no use to the person later than the few minutes that these attempts take.
MAX_ATTEMPTS = 5


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
        new = self._store.upsert(presses).on_conflict_do_nothing(index_elements=["key"]).returning(presses.c.key)

        def record(connection: Connection) -> str | None:
            now = self._store.now(connection)
            wall = self._store.to_wall(now)
            old = (presses.c.received_at < wall - REMEMBERED, presses.c.key.not_like(f"{SMS_PREFIX}%"))
            connection.execute(delete(presses).where(*old))
            if connection.execute(new, {"key": key, "received_at": wall}).first() is None:
                return None
            found = self._incidents.find(connection, incident_id, incident_key)
            event_id = found.event_id if found else None
            problem, act_id = "" if found else UNKNOWN, 0
            if found and act:
                if found.incident.state == "closed":
                    problem = CLOSED
                elif act.kind == "acknowledge" and found.incident.state == "acknowledged":
                    problem = REPEATED
            if event_id is None:
                # Every job belongs to an event; that of the incident may have expired.
                event_id = connection.execute(select(func.max(events.c.id))).scalar()
            if event_id is not None:
                values = {**params, "problem": problem}
                if found and act and not problem:
                    act_id = self._incidents.insert_act(
                        connection,
                        incident_id,
                        found.incident.id,
                        replace(act, at=from_timestamp(wall)),
                        origin="Slack",
                    )
                    values["act"] = act_id
                job = NewJob(f"press {key}", SLACK_PRESS, params=values, max_attempts=MAX_ATTEMPTS, urgent=True)
                # Before the jobs of the messages, so that they show the person's full name.
                insert_jobs(connection, [job_row(event_id, job) | {"due_at": now, "created_at": wall}])
            if act_id:
                self._incidents.refresh(connection, incident_id, cause=f"act {act_id}")
            return problem

        problem = self._store.write(record)
        self._incidents.announce()
        return problem
