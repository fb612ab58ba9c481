"""Compare computed incidents with the stored ones, and write the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, update

from webhooks.inbox.databases.raw_sql import Row, execute_many
from webhooks.inbox.incidents.records import INCIDENT_COLUMNS, incident_row
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.notices.notices import superseded_job
from webhooks.inbox.notices.tables import notices
from webhooks.incidents import Incident
from webhooks.job import NewJob

COLUMNS = (*INCIDENT_COLUMNS, "event_id")
INSERT = f"INSERT INTO incidents ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - no values
UPDATE = f"UPDATE incidents SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE id = ?"  # noqa: S608 - no values


@dataclass
class IncidentChanges:
    """Rows to insert, to update and to delete; `changed` has the numbers of changed incidents and their events.

    New incidents are not among them: they have no notices. `always`: all count as changed.
    """

    always: bool
    changed: dict[int, int | None] = field(default_factory=dict)
    # Jobs about messages that no notice has any more, with the numbers of the incidents that are shown elsewhere.
    superseded: list[tuple[int, NewJob]] = field(default_factory=list)
    _inserts: list[dict[str, Any]] = field(default_factory=list)
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _joins: list[tuple[int, int]] = field(default_factory=list)
    _deletes: list[int] = field(default_factory=list)

    def compare(self, stored: Sequence[Row], computed: Sequence[Incident], event_id: int | None) -> None:
        """Add what has to be written so that the incidents of a resource are the computed ones.

        `event_id` is the event that changed them.
        """
        remaining = {row["key"]: row for row in stored}
        for one in computed:
            rows = [remaining.pop(key) for key in [*remaining] if key in one.ids]
            values = incident_row(one)
            if not rows:
                self._inserts.append({**values, "event_id": event_id})
                continue
            kept = rows[0]
            self._joins += [(kept["id"], row["id"]) for row in rows[1:]]
            has_changed = self.always or len(rows) > 1 or any(kept[name] != value for name, value in values.items())
            if has_changed:
                self.changed[kept["id"]] = event_id
            last = event_id if event_id is not None and (has_changed or kept["event_id"] is None) else kept["event_id"]
            if has_changed or last != kept["event_id"]:
                self._updates.append({**values, "event_id": last, "id": kept["id"]})
        # Later evidence has shown that it was no failure.
        self._deletes += [row["id"] for row in remaining.values()]

    def write(self, connection: Connection) -> None:
        """Write everything. Closed ones first: only one incident of a resource may be open at any time."""
        for kept, other in self._joins:
            self.superseded += [(kept, job) for job in _join(connection, kept, other)]
        if self._deletes:
            connection.execute(delete(incidents).where(incidents.c.id.in_(self._deletes)))
        for statement, columns, rows in (
            (UPDATE, (*COLUMNS, "id"), self._updates),
            (INSERT, COLUMNS, self._inserts),
        ):
            ordered = sorted(rows, key=lambda row: row["closed_at"] is None)
            execute_many(connection, statement, [tuple(row[name] for name in columns) for row in ordered])


def _join(connection: Connection, kept: int, other: int) -> list[NewJob]:
    """Move what belongs to an incident that turned out to be one with `kept`, and delete it.

    Of two notices for one destination, the one with a message of its own stays, else the one in a message that several
    incidents share: what people see goes on to be kept up to date. Returns jobs that let other messages point to it.
    """
    connection.execute(update(acts).where(acts.c.incident_id == other).values(incident_id=kept))
    names = ("id", "incident_id", "destination", "rule", "posted", "group_id")
    columns = [notices.c[name] for name in names]
    found = []
    theirs: dict[str, list[RowMapping]] = {}
    for row in connection.execute(select(*columns).where(notices.c.incident_id.in_([kept, other]))).mappings():
        theirs.setdefault(row["destination"], []).append(row)
    for rows in theirs.values():
        stays = max(
            rows, key=lambda row: (bool(row["posted"]), row["group_id"] is not None, row["incident_id"] == kept)
        )
        others = [row for row in rows if row is not stays]
        superfluous = [row["id"] for row in others]
        found += [superseded_job(stays["id"], row) for row in others if row["posted"] or row["group_id"] is not None]
        connection.execute(delete(notices).where(notices.c.id.in_(superfluous)))
        connection.execute(update(notices).where(notices.c.id == stays["id"]).values(incident_id=kept))
    connection.execute(delete(incidents).where(incidents.c.id == other))
    return found
