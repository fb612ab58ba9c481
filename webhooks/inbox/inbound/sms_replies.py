"""Replies by text message: each is carried out once, in the transaction that records it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, or_, select

from webhooks.clock import from_timestamp
from webhooks.inbox.access.audit import log_act
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.inbound.presses import MAX_ATTEMPTS, SMS_PREFIX
from webhooks.inbox.inbound.tables import presses
from webhooks.inbox.incidents.acts import insert_act, refresh_incident
from webhooks.inbox.incidents.incidents import Incidents
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.incidents.updates import lock_incidents
from webhooks.inbox.jobs.rows import insert_jobs, job_row
from webhooks.inbox.notices.tables import notice_groups, notices
from webhooks.incidents import Act
from webhooks.incidents.sms_commands import Candidate, Command, choose
from webhooks.job import SMS_REPLY, NewJob


class SmsReplies:
    """Replies to text messages about incidents."""

    def __init__(self, store: Store, of: Incidents) -> None:
        self._store, self._incidents = store, of

    def record(self, sid: str, sender: str, destinations: Collection[str], command: Command) -> str:
        """Store a reply, the acknowledgements that it is, and the job that answers the person; return the outcome.

        `sid` identifies the reply: it is remembered for good, as its signature never expires. `destinations` are those
        of the sender; a number that was never notified acknowledges nothing and gets no answer.
        """
        new = self._store.upsert(presses).on_conflict_do_nothing(index_elements=["key"]).returning(presses.c.key)

        def record(connection: Connection) -> tuple[str, Sequence[int]]:
            now = self._store.now(connection)
            wall = self._store.to_wall(now)
            if connection.execute(new, {"key": f"{SMS_PREFIX}{sid}", "received_at": wall}).first() is None:
                return "repeated request", ()
            if command.kind == "opt_out":
                return "opt-out, answered by Twilio", ()
            lock_incidents(self._store, connection, [one.number for one in self._candidates(connection, destinations)])
            # Read after the lock: others may have acted until then.
            candidates = self._candidates(connection, destinations)
            known = select(notices.c.id).where(notices.c.destination.in_(destinations)).limit(1)
            event_id = connection.execute(select(func.max(events.c.id))).scalar()
            if event_id is None or (not candidates and connection.execute(known).first() is None):
                return "unknown number", ()
            choice = choose(command, candidates)
            chosen = [] if choice.problem else choice.incidents
            acted = [self._acknowledge(connection, one, sender, wall) for one in chosen]
            # Every job belongs to an event. Before the jobs of the messages, so that they show the person's name.
            listed = [{"number": one.number, "name": one.name, "by": one.quiet_by} for one in choice.incidents]
            params = {"sender": sender, "problem": choice.problem, "incidents": listed, "acts": acted}
            job = NewJob(f"reply {sid}", SMS_REPLY, params=params, max_attempts=MAX_ATTEMPTS, urgent=True)
            insert_jobs(connection, [job_row(event_id, job) | {"due_at": now, "created_at": wall}])
            for one, act_id in zip(chosen, acted, strict=True):
                refresh_incident(self._store, connection, one.number, cause=f"act {act_id}")
            words = f"acknowledged {len(acted)}" if acted else f"nothing acknowledged: {choice.problem}"
            return words, [one.number for one in chosen]

        outcome, acknowledged = self._store.write(record)
        if acknowledged:
            self._log(acknowledged, sender)
        self._incidents.announce()
        return outcome

    def _log(self, acknowledged: Collection[int], sender: str) -> None:
        query = select(incidents.c.id, incidents.c.event_id).where(incidents.c.id.in_(acknowledged))
        for row in self._store.rows(query.order_by(incidents.c.id.desc())):
            log_act("acknowledge", f"incident {row['id']}", by=sender, origin="SMS", event_id=row["event_id"])

    def _candidates(self, connection: Connection, destinations: Collection[str]) -> list[Candidate]:
        """Return the incidents that are not closed and that one of the destinations was notified of, newest first."""
        author = (
            select(acts.c.author)
            .where(acts.c.incident_id == incidents.c.id, acts.c.kind == "acknowledge")
            .order_by(acts.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        columns = (
            incidents.c.id,
            incidents.c.resource_name,
            incidents.c.resource_luid,
            incidents.c.state,
            notices.c.id.label("notice"),
            notices.c.group_id,
            notices.c.posted_at,
            author.label("author"),
        )
        query = (
            select(*columns)
            .join(notices, notices.c.incident_id == incidents.c.id)
            .outerjoin(notice_groups, notice_groups.c.id == notices.c.group_id)
            .where(notices.c.destination.in_(destinations), incidents.c.closed_at.is_(None))
            .where(or_(notices.c.posted_at.is_not(None), notice_groups.c.posted_at.is_not(None)))
            .order_by(incidents.c.opened_at.desc(), incidents.c.id.desc())
        )
        return [
            Candidate(
                row["id"],
                row["resource_name"] or row["resource_luid"],
                row["state"],
                f"notice {row['notice']}" if row["posted_at"] is not None else f"group {row['group_id']}",
                row["author"] or "",
            )
            for row in connection.execute(query).mappings()
        ]

    def _acknowledge(self, connection: Connection, one: Candidate, sender: str, wall: float) -> int:
        key = connection.execute(select(incidents.c.key).where(incidents.c.id == one.number)).scalar_one()
        act = Act("", "acknowledge", key, from_timestamp(wall), sender)
        return insert_act(self._store, connection, one.number, key, act, origin="SMS")
