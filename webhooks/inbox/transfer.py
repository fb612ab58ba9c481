"""Copy one inbox into another, for example a SQLite file into PostgreSQL; can be interrupted and continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import RowMapping, Table, func, select, text

from webhooks.inbox.access.tables import audit
from webhooks.inbox.all_tables import metadata
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.tables import acts, findings
from webhooks.inbox.jobs.tables import attempts, jobs
from webhooks.inbox.runs.tables import runs
from webhooks.inbox.server.tables import clock, locks

BATCH = 500
# All tables but those that belong to the machine; parents before their children.
COPIED = [table for table in metadata.sorted_tables if table not in {clock, locks}]
# Long tables with ids. They are copied in this order, so the last id shows how far it got before.
LONG = [table for table in COPIED if table in {events, jobs, attempts, runs, findings, acts, audit}]
# PostgreSQL has a sequence for the ids of each.
NUMBERED = [table for table in COPIED if "id" in table.columns]

# Receives a table's name, the rows copied so far and all rows.
Progress = Callable[[str, int, int], None]


def transfer(source: Store, target: Store, progress: Progress = lambda *_: None) -> dict[str, int]:
    """Copy all rows with their ids, and return the number of rows of each table in the target.

    May be repeated after an interruption and then copies what is new; the source is only read. Raises RuntimeError if
    the target has events that are not the source's.
    """
    _refuse_other_events(source, target)
    for table in COPIED:
        if table not in LONG:
            rows = source.rows(select(table))
            for start in range(0, len(rows), BATCH):
                _insert(target, table, rows[start : start + BATCH])
            continue
        last = target.scalar(select(func.max(table.c.id))) or 0
        total = _count(source, table)
        query = select(table).order_by(table.c.id).limit(BATCH)
        while rows := source.rows(query.where(table.c.id > last)):
            _insert(target, table, rows)
            last = rows[-1]["id"]
            progress(table.name, _count(target, table), total)
    if target.read(lambda connection: connection.dialect.name) == "postgresql":
        for table in NUMBERED:  # PostgreSQL continues after the copied ids
            newest = f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name})"  # noqa: S608 - our own names
            target.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {newest}, false)"))
    return {table.name: _count(target, table) for table in COPIED}


def _refuse_other_events(source: Store, target: Store) -> None:
    """Compare the last event of the target, by id and fingerprint, with the source's."""
    newest = target.rows(select(events.c.id, events.c.fingerprint).order_by(events.c.id.desc()).limit(1))
    if not newest:
        return
    same = source.scalar(select(events.c.fingerprint).where(events.c.id == newest[0]["id"]))
    if same is None or bytes(same) != bytes(newest[0]["fingerprint"]):
        raise RuntimeError(
            "The target has events of its own; use an empty database, or the target of an interrupted transfer"
        )


def _insert(target: Store, table: Table, rows: Sequence[RowMapping]) -> None:
    target.execute(target.upsert(table).on_conflict_do_nothing(), [dict(row) for row in rows])


def _count(store: Store, table: Table) -> int:
    return int(store.scalar(select(func.count()).select_from(table)))
