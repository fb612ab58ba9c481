"""Text messages that were accepted and not delivered: each becomes a job that is dead-lettered, and so reported."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy import text as sql_text

from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.rows import insert_jobs, job_row
from webhooks.inbox.jobs.tables import DEAD, jobs
from webhooks.inbox.notices.tables import notices
from webhooks.job import UNDELIVERED, NewJob

# Our id of a message begins with the job or the notice that sent it.
MESSAGE_ID = re.compile(r"(job|notice) ([0-9]{1,18}) ", re.ASCII)
# Seconds until the failure is reported: by then the look-up of the delivery has reported it, if it could.
REPORT_AFTER = 120.0


class SmsStatus:
    """Reports of Twilio on the delivery of text messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, message_id: str, sid: str, destination: str, reason: str) -> str:
        """Store that a message was not delivered, once for each `sid`; return the outcome.

        `message_id` is our id of the message, which leads to the event that it was about.
        """
        job = NewJob(f"undelivered {sid}", UNDELIVERED, params={"to": destination, "reason": reason}, max_attempts=1)

        def record(connection: Connection) -> str:
            now = self._store.now(connection)
            event_id = self._event_of(connection, message_id)
            if event_id is None:
                return "without an event"
            times = {"due_at": now + REPORT_AFTER, "created_at": self._store.to_wall(now)}
            insert_jobs(connection, [job_row(event_id, job) | times])
            return f"event={event_id}"

        return self._store.write(record)

    def is_reported(self, destination: str, since: datetime) -> bool:
        """Return whether a job that sent to this destination was dead-lettered since then."""
        this: list[ColumnElement[bool]] = [
            jobs.c.error.contains(destination, autoescape=True),
            jobs.c.finished_at >= since.timestamp(),
            jobs.c.handler != UNDELIVERED,
        ]
        found = self._store.scalar(select(jobs.c.id).where(sql_text(DEAD), *this).limit(1))
        return found is not None

    def _event_of(self, connection: Connection, message_id: str) -> int | None:
        """Return the event of the message; the newest one if that is not known or has expired."""
        match = MESSAGE_ID.match(message_id)
        query: Select[Any] | None = None
        if match and match[1] == "job":
            query = select(jobs.c.event_id).where(jobs.c.id == int(match[2]))
        elif match:
            same = notices.c.incident_id == incidents.c.id
            known = select(incidents.c.event_id).join(notices, same).where(notices.c.id == int(match[2]))
            query = select(events.c.id).where(events.c.id.in_(known))
        found = connection.execute(query).scalar_one_or_none() if query is not None else None
        return found if found is not None else connection.execute(select(func.max(events.c.id))).scalar()
