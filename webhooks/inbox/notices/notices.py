"""Notices: the message about an incident at a destination, what it shows, and where it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from datetime import time as wall_time
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.notices.tables import notices
from webhooks.inbox.records import optional_time
from webhooks.incidents import DestinationPolicy, Policy
from webhooks.incidents.silences import WeeklyPeriod
from webhooks.job import NOTICE, SUPERSEDED_NOTICE, NewJob

EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """The message about an incident at one destination.

    `posted` is where the message is, as the notifier returned it; None until it was posted. `shown` has the version of
    each part that was sent last: of the message and of the replies in its thread. `template` has the rule's own `title`
    and `text`, if it gives them.

    `opened_at` is when it could first be sent. `single`: it has a message of its own. `group_id` is the message that it
    shares with others; if it has its own one, too, that one was there first.
    """

    id: int
    incident_id: int
    destination: str
    rule: str
    policy: Policy
    template: Mapping[str, str]
    posted: Mapping[str, Any] | None
    shown: Mapping[str, int]
    single: bool
    group_id: int | None
    opened_at: datetime | None
    created_at: datetime
    posted_at: datetime | None
    updated_at: datetime | None


class Notices:
    """One notice for each incident and destination."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(
        self, incident_id: int, destination: str, policy: Policy, template: Mapping[str, str] = EMPTY
    ) -> NoticeRecord:
        """Store that a destination is to be notified of an incident, and return its notice.

        If another rule has asked for the same before, there is one message, sent as soon as either rule wants it.
        """
        new = self._store.upsert(notices)
        insert = new.on_conflict_do_nothing(index_elements=["incident_id", "destination"])
        own = (notices.c.incident_id == incident_id, notices.c.destination == destination)

        def register(connection: Connection) -> NoticeRecord:
            row = connection.execute(select(notices).where(*own)).mappings().first()
            if row is not None:
                stored = policy_from_dict(json.loads(row["policy"]))
                merged = policy_as_dict(merge(stored, policy))
                if merged != policy_as_dict(stored):
                    change = update(notices).where(*own).values(policy=json.dumps(merged))
                    connection.execute(change)
                    row = connection.execute(select(notices).where(*own)).mappings().one()
            else:
                values = {
                    "incident_id": incident_id,
                    "destination": destination,
                    "rule": policy.rule,
                    "policy": json.dumps(policy_as_dict(policy)),
                    "template": json.dumps(dict(template)),
                    "created_at": self._store.to_wall(self._store.now(connection)),
                }
                connection.execute(insert, values)
                row = connection.execute(select(notices).where(*own)).mappings().one()
            return notice_of(row)

        return self._store.write(register)

    def get(self, notice_id: int) -> NoticeRecord | None:
        """Return a notice, or None if it is gone."""
        rows = self._store.rows(select(notices).where(notices.c.id == notice_id))
        return notice_of(rows[0]) if rows else None

    def save(self, notice: NoticeRecord, *, posted: Mapping[str, Any] | None, shown: Mapping[str, int]) -> None:
        """Store where the message is and what was sent."""
        new = {"posted": json.dumps(dict(posted)) if posted else None, "shown": json.dumps(dict(shown))}

        def save(connection: Connection) -> None:
            wall = self._store.to_wall(self._store.now(connection))
            first = {"posted_at": wall} if notice.posted_at is None and posted and "message" in posted else {}
            row = update(notices).where(notices.c.id == notice.id)
            connection.execute(row.values(**new, **first, updated_at=wall))

        self._store.write(save)


def notice_job(notice_id: int, to: str, rule: str, cause: str, *, urgent: bool = False) -> NewJob:
    """Return the job that brings a notice at the destination `to` up to date.

    `cause` distinguishes several jobs of one event.
    """
    key = " ".join(part for part in ("notice", str(notice_id), cause) if part)
    return NewJob(key, NOTICE, rule=rule, params={"notice": notice_id, "to": to}, urgent=urgent)


def superseded_job(kept: int, row: RowMapping) -> NewJob:
    """Return the job that lets the message of a notice that is deleted point to that of the notice `kept`."""
    message = json.loads(row["posted"]).get("message") if row["posted"] else None
    params = {"notice": kept, "to": row["destination"], "message": message, "group": row["group_id"]}
    return NewJob(f"superseded notice {row['id']}", SUPERSEDED_NOTICE, rule=row["rule"], params=params)


def notice_of(row: RowMapping) -> NoticeRecord:
    """Return the notice of a row."""
    return NoticeRecord(
        id=row["id"],
        incident_id=row["incident_id"],
        destination=row["destination"],
        rule=row["rule"],
        policy=policy_from_dict(json.loads(row["policy"])),
        template=json.loads(row["template"]),
        posted=json.loads(row["posted"]) if row["posted"] else None,
        shown=json.loads(row["shown"]),
        single=bool(row["single"]),
        group_id=row["group_id"],
        opened_at=optional_time(row["opened_at"]),
        created_at=from_timestamp(row["created_at"]),
        posted_at=optional_time(row["posted_at"]),
        updated_at=optional_time(row["updated_at"]),
    )


def merge(first: Policy, second: Policy) -> Policy:
    """Return the policy of a destination that two rules notify: as early and as often as either of them wants."""
    theirs = {one.to: one for one in second.destinations}
    destinations = tuple(
        replace(
            one,
            failures=min(one.failures, theirs[one.to].failures),
            after=min(one.after, theirs[one.to].after),
            grace=min(one.grace, theirs[one.to].grace),
            mention=one.mention or theirs[one.to].mention,
        )
        if one.to in theirs
        else one
        for one in first.destinations
    )
    repeats = [one.repeat for one in (first, second) if one.repeat]
    quiet = first.quiet if first.quiet and second.quiet else None
    return replace(first, destinations=destinations, repeat=min(repeats, default=None), quiet=quiet)


def policy_as_dict(policy: Policy) -> dict[str, Any]:
    """Return the policy as JSON, times in seconds."""
    return {
        "rule": policy.rule,
        "destinations": [
            {
                "to": one.to,
                "failures": one.failures,
                "after": one.after.total_seconds(),
                "mention": one.mention,
                **({"grace": one.grace.total_seconds()} if one.grace else {}),
            }
            for one in policy.destinations
        ],
        "repeat": policy.repeat.total_seconds() if policy.repeat else None,
        "quiet": weekly_as_dict(policy.quiet) if policy.quiet else None,
    }


def policy_from_dict(values: Mapping[str, Any]) -> Policy:
    """Return the policy of this JSON."""
    return Policy(
        rule=values["rule"],
        destinations=tuple(
            DestinationPolicy(
                one["to"],
                one["failures"],
                timedelta(seconds=one["after"]),
                one["mention"],
                timedelta(seconds=one.get("grace", 0)),
            )
            for one in values["destinations"]
        ),
        repeat=timedelta(seconds=values["repeat"]) if values["repeat"] else None,
        quiet=weekly_from_dict(values["quiet"]) if values["quiet"] else None,
    )


def weekly_as_dict(weekly: WeeklyPeriod) -> dict[str, Any]:
    """Return weekly times as JSON."""
    return {
        "start": weekly.start.isoformat(),
        "end": weekly.end.isoformat(),
        "days": sorted(weekly.days),
        "zone": str(weekly.zone),
    }


def weekly_from_dict(values: Mapping[str, Any]) -> WeeklyPeriod:
    """Return the weekly times of this JSON."""
    return WeeklyPeriod(
        start=wall_time.fromisoformat(values["start"]),
        end=wall_time.fromisoformat(values["end"]),
        days=frozenset(values["days"]),
        zone=ZoneInfo(values["zone"]),
    )
