"""Messages that several incidents share at a destination."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, exists, func, insert, or_, select, text, update

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.records import IncidentRecord, incident_records
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.rows import insert_jobs, job_row
from webhooks.inbox.jobs.tables import OPEN, jobs
from webhooks.inbox.notices.notices import NoticeRecord, notice_of
from webhooks.inbox.notices.places import (
    PLACED,
    depends_on_upstream,
    find_personal_place,
    find_place,
    personal_depends_on_upstream,
)
from webhooks.inbox.notices.tables import notice_groups, notices
from webhooks.inbox.records import optional_time
from webhooks.incidents.grouping import GroupKind
from webhooks.job import NOTICE_GROUP, OPEN_STATES, Job, JobState, NewJob

# When the job that waits for longest was due. The job of a group is put so much before it.
FIRST_DUE = select(func.min(jobs.c.due_at)).where(text(OPEN))
AHEAD_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A message about several incidents at one destination; `posted` and `shown` as in NoticeRecord.

    `wanted` counts the changes of its incidents. `remind_at` is when the last reminder of one of them was due.
    """

    id: int
    destination: str
    kind: GroupKind
    joined_at: datetime
    summary_at: datetime | None
    wanted: int
    remind_at: datetime | None
    posted: Mapping[str, Any] | None
    shown: Mapping[str, int]
    created_at: datetime
    posted_at: datetime | None

    @property
    def name(self) -> str:
        """The name that no other message has, also of another server; links and other services know it by that."""
        return f"group {self.id} {self.created_at.timestamp()}"


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of the first notification: a message of its own, a group, or not decided until a time."""

    group_id: int | None = None
    wait_until: datetime | None = None


class NoticeGroups:
    """All groups. Decisions about a destination are made one after the other, whichever process makes them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def place(
        self, notice: NoticeRecord, job: Job, *, summary_at: datetime | None = None, of_person: bool = False
    ) -> Placement:
        """Decide where the opening of a notice goes, which can be sent now, and let the group's message be updated.

        What was decided once is not changed. `summary_at` is the end of the silence that held it; `of_person`: the
        destination is one person, who is alerted once by all that opens within minutes.
        """

        def place(connection: Connection) -> Placement:
            self._store.serialize(connection, [f"notices {notice.destination}"])
            this = PLACED.where(notices.c.id == notice.id)
            row = connection.execute(this).mappings().first()
            if row is None or row["single"] or row["posted"]:
                return Placement()
            if row["group_id"] is not None:
                self._mark(connection, row["group_id"], job)
                return Placement(row["group_id"])
            now = self._wall(connection)
            if row["opened_at"] is None:
                new = {"opened_at": now.timestamp(), "summary_at": summary_at and summary_at.timestamp()}
                connection.execute(update(notices).where(notices.c.id == notice.id).values(**new))
                row = connection.execute(this).mappings().one()
            find = find_personal_place if of_person and row["summary_at"] is None else find_place
            found = find(connection, row, now)
            if found.wait_until is not None:
                return Placement(wait_until=found.wait_until)
            if found.group_id is None and not found.members:
                connection.execute(update(notices).where(notices.c.id == notice.id).values(single=1))
                return Placement()
            group_id = found.group_id or self._create(connection, row, found.kind, now)
            self._lock(connection, group_id)
            joined = update(notice_groups).where(notice_groups.c.id == group_id).values(joined_at=now.timestamp())
            connection.execute(joined)
            members = found.members or (notice.id,)
            connection.execute(update(notices).where(notices.c.id.in_(members)).values(group_id=group_id))
            self._mark(connection, group_id, job)
            return Placement(group_id)

        return self._store.write(place)

    def may_share(self, notice: NoticeRecord, *, of_person: bool = False) -> bool:
        """Return whether it depends on the databases of its content whether the notice shares a message.

        It does not if its place is decided, or if the openings in the last minutes at its destination decide it.
        """
        if notice.single or notice.posted or notice.group_id is not None:
            return False

        def look(connection: Connection) -> bool:
            row = connection.execute(PLACED.where(notices.c.id == notice.id)).mappings().first()
            depends = personal_depends_on_upstream if of_person else depends_on_upstream
            return row is not None and depends(connection, row, self._wall(connection))

        return self._store.read(look)

    def changed(
        self, group_id: int, job: Job, *, remind_at: datetime | None = None, gap: timedelta = timedelta()
    ) -> None:
        """Let the group's message be updated, because one of its incidents has changed or is to be reminded of.

        A reminder less than `gap` after that of another incident is the same.
        """

        def change(connection: Connection) -> None:
            self._lock(connection, group_id)
            if remind_at is not None:
                last = notice_groups.c.remind_at
                is_new = or_(last.is_(None), last < (remind_at - gap).timestamp())
                row = update(notice_groups).where(notice_groups.c.id == group_id, is_new)
                connection.execute(row.values(remind_at=remind_at.timestamp()))
            self._mark(connection, group_id, job)

        self._store.write(change)

    def get(self, group_id: int) -> GroupRecord | None:
        """Return a group, or None if it is gone."""
        rows = self._store.rows(select(notice_groups).where(notice_groups.c.id == group_id))
        return _group_of(rows[0]) if rows else None

    def members(self, group_id: int) -> list[tuple[NoticeRecord, IncidentRecord]]:
        """Return the notices of the group in their order, with their incidents without their runs."""

        def load(connection: Connection) -> list[tuple[NoticeRecord, IncidentRecord]]:
            own = select(notices).where(notices.c.group_id == group_id).order_by(notices.c.opened_at, notices.c.id)
            found = [notice_of(row) for row in connection.execute(own).mappings()]
            theirs = select(incidents).join(notices, notices.c.incident_id == incidents.c.id)
            rows = connection.execute(theirs.where(notices.c.group_id == group_id)).mappings().all()
            records = {record.id: record for record in incident_records(connection, rows, complete=False)}
            return [(notice, records[notice.incident_id]) for notice in found]

        return self._store.read(load)

    def save(self, group: GroupRecord, *, posted: Mapping[str, Any] | None, shown: Mapping[str, int]) -> None:
        """Store where the message is and what was sent; its incidents count as sent from then on."""

        def save(connection: Connection) -> None:
            wall = self._wall(connection).timestamp()
            new: dict[str, Any] = {"posted": json.dumps(dict(posted)) if posted else None, "updated_at": wall}
            if posted and "message" in posted and group.posted_at is None:
                new["posted_at"] = wall
            row = update(notice_groups).where(notice_groups.c.id == group.id)
            connection.execute(row.values(**new, shown=json.dumps(dict(shown))))
            # Not before the reply that takes the place of a refused edit has been sent.
            if posted and "message" in posted and "message" not in posted.get("pending", ()):
                unsent = (notices.c.group_id == group.id, notices.c.posted_at.is_(None))
                connection.execute(update(notices).where(*unsent).values(posted_at=wall))

        self._store.write(save)

    def take_over(self, group: GroupRecord, notice: NoticeRecord) -> bool:
        """Let the group use the message of one of its incidents, which has none of its own from then on.

        A message that was not posted yet will not be. Returns False, and changes nothing, while it is unknown whether
        one was. Call it with the lock of the notice.
        """

        def take_over(connection: Connection) -> bool:
            this = notices.c.id == notice.id
            stored = connection.execute(select(notices.c.posted).where(this)).scalar()
            posted = json.loads(stored) if stored else {}
            if "pending" in posted:
                return False
            connection.execute(update(notices).where(this).values(single=0, posted=None))
            if "message" in posted:
                new = {"posted": stored, "posted_at": self._wall(connection).timestamp()}
                connection.execute(update(notice_groups).where(notice_groups.c.id == group.id).values(**new))
            return True

        return self._store.write(take_over)

    def release(self, group: GroupRecord, notice: NoticeRecord) -> None:
        """Take a notice out of a group that was not posted. One without a message is placed again when it is due."""
        new: dict[str, Any] = {"group_id": None}
        if notice.posted_at is None:
            new |= {"opened_at": None, "summary_at": None}

        def release(connection: Connection) -> None:
            self._store.serialize(connection, [f"notices {group.destination}"])
            own = update(notices).where(notices.c.id == notice.id, notices.c.group_id == group.id)
            connection.execute(own.values(**new))

        self._store.write(release)

    def close(self, group: GroupRecord) -> None:
        """Let no further incidents join the group. Those that have joined are its members from then on."""

        def close(connection: Connection) -> None:
            # As for decisions about places: one that has found the group open must be committed by then.
            self._store.serialize(connection, [f"notices {group.destination}"])
            row = update(notice_groups).where(notice_groups.c.id == group.id, notice_groups.c.closed_at.is_(None))
            connection.execute(row.values(closed_at=self._wall(connection).timestamp()))

        self._store.write(close)

    def finish(self, group: GroupRecord) -> bool:
        """End the work of the group's job; return False if something has changed since `group` was read."""
        row = update(notice_groups).where(notice_groups.c.id == group.id, notice_groups.c.wanted == group.wanted)
        return self._store.execute(row.values(runner=None)) > 0

    def delete_empty(self, before: float) -> int:
        """Delete groups without incidents created before that time (seconds since 1970), and return how many."""
        used = exists().where(notices.c.group_id == notice_groups.c.id)
        return self._store.execute(delete(notice_groups).where(notice_groups.c.created_at < before, ~used))

    def _wall(self, connection: Connection) -> datetime:
        return from_timestamp(self._store.to_wall(self._store.now(connection)))

    def _create(self, connection: Connection, row: RowMapping, kind: GroupKind, now: datetime) -> int:
        wall = now.timestamp()
        values = {
            "destination": row["destination"],
            "kind": kind,
            "joined_at": wall,
            "summary_at": row["summary_at"],
            "wanted": 0,
            "created_at": wall,
        }
        return int(connection.execute(insert(notice_groups).values(values)).inserted_primary_key[0])  # type: ignore[index]

    def _lock(self, connection: Connection, group_id: int) -> None:
        """Let other transactions wait that change the group; taken before its row, so that none waits in a circle."""
        self._store.serialize(connection, [f"group {group_id}"])

    def _mark(self, connection: Connection, group_id: int, job: Job) -> None:
        """Count a change, and add a job that shows it unless one is open that will; an urgent one is shown at once."""
        self._lock(connection, group_id)
        this = update(notice_groups).where(notice_groups.c.id == group_id)
        columns = notice_groups.c.wanted, notice_groups.c.runner, notice_groups.c.destination
        counted = this.values(wanted=notice_groups.c.wanted + 1).returning(*columns)
        wanted, runner, destination = connection.execute(counted).one()
        now = self._store.now(connection)
        urgent = bool(connection.execute(select(jobs.c.urgent).where(jobs.c.id == job.id)).scalar())
        of_runner = select(jobs.c.state, jobs.c.due_at).where(jobs.c.id == runner, jobs.c.state.in_(OPEN_STATES))
        open_runner = connection.execute(of_runner).first() if runner is not None else None
        if open_runner is not None:
            # When it is due it goes to the front: in a storm, thousands of jobs wait that are due for longer.
            first_due_at = connection.execute(FIRST_DUE).scalar() or now
            ready = update(jobs).where(jobs.c.id == runner, jobs.c.state == JobState.READY)
            if urgent:
                connection.execute(update(jobs).where(jobs.c.id == runner).values(urgent=1))
                connection.execute(ready.values(due_at=min(now, open_runner.due_at)))
            elif open_runner.state == JobState.READY and first_due_at < open_runner.due_at <= now:
                connection.execute(ready.values(due_at=first_due_at - AHEAD_SECONDS))
            return
        key = f"group {group_id} {wanted}"
        params = {"group": group_id, "to": destination}
        new = NewJob(key, NOTICE_GROUP, rule=job.rule, params=params, max_attempts=job.max_attempts, urgent=urgent)
        times = {"due_at": now, "created_at": self._store.to_wall(now)}
        insert_jobs(connection, [job_row(job.event.id, new) | times])
        added = select(jobs.c.id).where(jobs.c.event_id == job.event.id, jobs.c.key == key)
        connection.execute(this.values(runner=connection.execute(added).scalar()))


def _group_of(row: RowMapping) -> GroupRecord:
    return GroupRecord(
        id=row["id"],
        destination=row["destination"],
        kind=row["kind"],
        joined_at=from_timestamp(row["joined_at"]),
        summary_at=optional_time(row["summary_at"]),
        wanted=row["wanted"],
        remind_at=optional_time(row["remind_at"]),
        posted=json.loads(row["posted"]) if row["posted"] else None,
        shown=json.loads(row["shown"]),
        created_at=from_timestamp(row["created_at"]),
        posted_at=optional_time(row["posted_at"]),
    )
