"""SQL that reads and writes runs, written by hand: SQLAlchemy would take longer for it than the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.raw_sql import Row, as_rows, execute, execute_many, rows
from webhooks.inbox.runs.rows import COLUMNS, ResourceKey, run_of, run_values
from webhooks.incidents import Run


class RunHead(NamedTuple):
    """The columns that decide whether new evidence may change a stored run. `evidence` is None unless asked for."""

    id: int
    site_luid: str
    resource_luid: str
    resource_name: str
    started_at: float | None
    ended_at: float | None
    happened_at: float
    outcome: str
    evidence: str | None


HEADS = (
    "SELECT id, site_luid, resource_luid, resource_name, started_at, ended_at, happened_at, outcome, {evidence} "
    "FROM runs WHERE resource_luid IN (?*) AND happened_at BETWEEN ? AND ? "
    "AND (happened_at >= ? OR outcome IN ('running', 'unknown')) ORDER BY resource_luid DESC, happened_at DESC"
)
WITH_EVIDENCE, WITHOUT_EVIDENCE = HEADS.format(evidence="evidence"), HEADS.format(evidence="NULL")
OF_IDS = "SELECT * FROM runs WHERE id IN (?*)"
NEWEST = (
    "SELECT * FROM runs WHERE resource_luid = ? AND site_luid = ? ORDER BY happened_at DESC, id DESC LIMIT ? OFFSET ?"
)
# The same for many resources, with one round trip; for SQLite, which has no LATERAL, there are none.
NEWEST_OF_MANY = (
    "SELECT runs.* FROM unnest(%s::text[], %s::text[]) AS wanted (site_luid, resource_luid) CROSS JOIN LATERAL "
    "(SELECT * FROM runs WHERE runs.resource_luid = wanted.resource_luid AND runs.site_luid = wanted.site_luid "
    "ORDER BY happened_at DESC, id DESC LIMIT %s) AS runs ORDER BY runs.happened_at DESC, runs.id DESC"
)
INSERT = f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - no values
UPDATE = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE id = ?"  # noqa: S608 - no values
DELETE = "DELETE FROM runs WHERE id IN (?*)"
LIST_CONTENT = (
    "INSERT INTO refreshed_content (resource_luid, site_luid, resource_kind, resource_name) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (resource_luid) DO UPDATE SET resource_name = excluded.resource_name"
)


def heads(
    connection: Connection, luids: Collection[str], first: float, last: float, recent: float, *, with_evidence: bool
) -> list[RunHead]:
    """Return the stored runs of this content between two times, the newest first.

    Of those before `recent`, only runs without an end are among them.
    """
    statement = WITH_EVIDENCE if with_evidence else WITHOUT_EVIDENCE
    found = execute(connection, statement, sorted(luids), first, last, recent)
    return [RunHead._make(row) for row in found.fetchall()]


def runs_of_ids(connection: Connection, ids: Collection[int]) -> dict[int, Run]:
    """Return these runs by their ids."""
    return {row["id"]: run_of(row) for row in rows(connection, OF_IDS, sorted(ids))} if ids else {}


def newest(connection: Connection, resource: ResourceKey, most: int, offset: int) -> list[Row]:
    """Return rows of a resource's runs, the newest first."""
    site_luid, resource_luid = resource
    return rows(connection, NEWEST, resource_luid, site_luid, most, offset)


def newest_of_many(
    connection: Connection, resources: Collection[ResourceKey], most: int
) -> dict[ResourceKey, list[Row]]:
    """Return up to `most` rows of the runs of each resource, the newest first."""
    if len(resources) < 2 or connection.dialect.name == "sqlite":
        return {resource: newest(connection, resource, most, 0) for resource in resources}
    sites, luids = map(list, zip(*resources, strict=True))
    found: dict[ResourceKey, list[Row]] = {resource: [] for resource in resources}
    for row in as_rows(raw_sql.run(connection, NEWEST_OF_MANY, (sites, luids, most))):
        found[row["site_luid"], row["resource_luid"]].append(row)
    return found


@dataclass(frozen=True, slots=True)
class RunRows:
    """Rows of runs to insert, to update and to delete, and runs whose content is new or has another name."""

    inserts: list[Run] = field(default_factory=list)
    updates: list[tuple[int, Run]] = field(default_factory=list)
    deletes: list[int] = field(default_factory=list)
    content: list[Run] = field(default_factory=list)

    def replace(self, known: Mapping[int, Run], merged: Sequence[Run]) -> None:
        """Add what has to be written so that the runs of a resource are the merged ones instead of the known ones."""
        if not known:
            self.inserts.extend(merged)
            return
        free = dict(known)
        rows_by_key = {key: row_id for row_id, run in known.items() for key in run.keys}
        for run in merged:
            # A run keeps its row as long as it keeps a piece of evidence.
            row_id = min((rows_by_key[key] for key in run.keys if rows_by_key.get(key) in free), default=None)
            if row_id is None:
                self.inserts.append(run)
            elif free.pop(row_id) != run:
                self.updates.append((row_id, run))
        self.deletes.extend(free)

    def write(self, connection: Connection) -> None:
        """Write everything, and the names of content in the list of content that has runs."""
        if self.deletes:
            execute(connection, DELETE, self.deletes)
        execute_many(connection, UPDATE, [(*run_values(run), row_id) for row_id, run in self.updates])
        execute_many(connection, INSERT, [run_values(run) for run in self.inserts])
        content = [(run.resource_luid, run.site_luid, run.resource_kind, run.resource_name) for run in self.content]
        execute_many(connection, LIST_CONTENT, content)
