"""The message for the first notification of an incident at a destination: its own, or one that incidents share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, and_, or_, select

from webhooks.clock import from_timestamp
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.notices.notices import policy_from_dict
from webhooks.inbox.notices.tables import notice_groups, notices
from webhooks.inbox.records import optional_time
from webhooks.incidents.grouping import (
    CALM,
    GATHERING,
    OWN_REASONS,
    UPSTREAM_WINDOW,
    GroupKind,
    Manner,
    Opening,
    PersonalMessage,
    group,
    may_join,
    message_to_join,
    shared_upstream,
)
from webhooks.incidents.incident import OWN_KINDS

# The columns that the databases of an incident follow from.
UPSTREAM = (incidents.c.upstream, incidents.c.reason_class)
# A notice with the columns of its incident that decide about its place.
PLACED = select(notices, incidents.c.kind.label("incident_kind"), incidents.c.state, *UPSTREAM).join(incidents)


@dataclass(frozen=True, slots=True)
class Place:
    """A group to join, a new group of these notices, a message of its own (none of them), or a time to wait until."""

    group_id: int | None = None
    members: tuple[int, ...] = ()
    kind: GroupKind = "storm"
    wait_until: datetime | None = None


def find_place(connection: Connection, row: RowMapping, now: datetime) -> Place:
    """Return the place of a notice, given as a row of PLACED, among the openings at its destination."""
    if (group_id := _running(connection, row, now)) is not None:
        return Place(group_id)
    found, name = group(_recent(connection, row, now), now), str(row["id"])
    if members := found.members_with(name):
        kind = next(one.kind for one in found.groups if name in one.members)
        return Place(members=tuple(map(int, members)), kind=kind)
    if name in found.single:
        return Place()
    return Place(wait_until=from_timestamp(row["opened_at"]) + GATHERING)


def find_personal_place(connection: Connection, row: RowMapping, now: datetime) -> Place:
    """Return the place of a notice, given as a row of PLACED, at the destination of one person."""
    messages = _personal_messages(connection, row, now)
    found = message_to_join((one for one, _ in messages), _opening(row, at=now), _manner(row))
    if found is None:
        return Place()
    group_id = next(number for one, number in messages if one is found)
    return Place(group_id) if group_id is not None else Place(members=(int(found.id), row["id"]))


def depends_on_upstream(connection: Connection, row: RowMapping, now: datetime) -> bool:
    """Return whether the place of a notice, given as a row of PLACED, depends on the databases of its content.

    It does not if nothing else has opened at its destination within UPSTREAM_WINDOW, or while a storm goes on that
    everything joins.
    """
    since = (now - UPSTREAM_WINDOW).timestamp()
    own = (notice_groups.c.destination == row["destination"], notice_groups.c.closed_at.is_(None))
    running = select(notice_groups.c.kind, notice_groups.c.joined_at).where(
        *own, notice_groups.c.kind != "summary", notice_groups.c.joined_at >= since
    )
    groups = connection.execute(running).all()
    if any(kind == "storm" and joined_at >= (now - CALM).timestamp() for kind, joined_at in groups):
        return False
    others = (notices.c.destination == row["destination"], notices.c.id != row["id"])
    recent = select(notices.c.id).where(*others, notices.c.opened_at >= since).limit(1)
    return bool(groups) or connection.execute(recent).first() is not None


def personal_depends_on_upstream(connection: Connection, row: RowMapping, now: datetime) -> bool:
    """Return the same as `depends_on_upstream` for the destination of one person."""
    messages = [one for one, _ in _personal_messages(connection, row, now)]
    opening, manner = Opening(str(row["id"]), now), _manner(row)
    if message_to_join(messages, opening, manner) is not None:
        return False
    return any(one.has_open and one.manner == manner and one.upstream for one in messages)


def _running(connection: Connection, row: RowMapping, now: datetime) -> int | None:
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


def _recent(connection: Connection, row: RowMapping, now: datetime) -> list[Opening]:
    """Return the openings that the notice can form a group with, itself included."""
    since = now - (timedelta(days=1) if row["summary_at"] is not None else UPSTREAM_WINDOW)
    own = (notices.c.destination == row["destination"], notices.c.group_id.is_(None))
    which = notices.c.summary_at.is_not_distinct_from(row["summary_at"])
    columns = (notices.c.id, notices.c.opened_at, notices.c.summary_at, notices.c.single, *UPSTREAM)
    query = select(*columns).join(incidents).where(*own, which, notices.c.opened_at >= since.timestamp())
    # A message of its own that was sent at the end of a silence does not belong to a summary.
    return [
        _opening(one) for one in connection.execute(query).mappings() if one["summary_at"] is None or not one["single"]
    ]


def _personal_messages(
    connection: Connection, row: RowMapping, now: datetime
) -> list[tuple[PersonalMessage, int | None]]:
    """Return the messages at the destination of the row that an incident joined lately, with the numbers of groups."""
    at_destination = (notices.c.destination == row["destination"], notices.c.id != row["id"])
    recent = notices.c.opened_at >= (now - UPSTREAM_WINDOW).timestamp()
    running = (notice_groups.c.closed_at.is_(None), notice_groups.c.kind != "summary")
    in_group = select(notices.c.group_id).join(notice_groups).where(*at_destination, recent, *running)
    alone = (recent, notices.c.group_id.is_(None), notices.c.single == 1, notices.c.summary_at.is_(None))
    query = PLACED.where(*at_destination).order_by(notices.c.opened_at, notices.c.id)
    found: dict[tuple[int | None, int], list[RowMapping]] = {}
    for one in connection.execute(query.where(or_(notices.c.group_id.in_(in_group), and_(*alone)))).mappings():
        group_id = one["group_id"]
        found.setdefault((group_id, 0 if group_id is not None else one["id"]), []).append(one)
    return [
        (
            PersonalMessage(
                str(members[0]["id"]),
                from_timestamp(members[-1]["opened_at"]),
                _manner(members[0]),
                any(one["state"] == "open" for one in members),
                shared_upstream(map(_upstream, members)),
            ),
            group_id,
        )
        for (group_id, _), members in found.items()
    ]


def _manner(row: RowMapping) -> Manner:
    template: Mapping[str, str] = json.loads(row["template"])
    destinations = policy_from_dict(json.loads(row["policy"])).destinations
    return Manner(
        template.get("title", ""),
        template.get("text", ""),
        next((one.mention for one in destinations if one.mention), ""),
        all(one.is_escalation for one in destinations),
        row["incident_kind"] in OWN_KINDS,
    )


def _opening(row: RowMapping, at: datetime | None = None) -> Opening:
    opened_at = at or from_timestamp(row["opened_at"])
    return Opening(str(row["id"]), opened_at, optional_time(row["summary_at"]), _upstream(row))


def _upstream(row: RowMapping) -> frozenset[str]:
    """Return the databases that the content of the incident reads, unless its reason has nothing to do with them."""
    if not row["upstream"] or row["reason_class"] in OWN_REASONS:
        return frozenset()
    return frozenset(json.loads(row["upstream"]))
