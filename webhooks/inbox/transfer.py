"""From one inbox to another, as from a SQLite file to PostgreSQL: in steps, and again from where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select, text

from webhooks.inbox.databases.store import Store, upsert
from webhooks.inbox.schema import attempts, clock, events, jobs, locks, metadata

STEP = 500
MOVED = [table for table in metadata.sorted_tables if table not in {clock, locks}]
"""All but what belongs to the machine; parents before their children."""
COUNTED = [table for table in MOVED if table in {events, jobs, attempts}]
"""Tables whose rows have a number; each is copied in its order, so what was copied before is known by its last."""


def move(source: Store, target: Store, told: Callable[[str, int, int], None] = lambda *_: None) -> dict[str, int]:
    """Copies every row with its number; `told` hears table, rows there and rows in all after each step.

    May be run again after a break, and copies then what is new; the source is only read. Returns how many rows of each
    table the target has. Raises RuntimeError where the target has events that are not the source's.
    """
    _refuse_strangers(source, target)
    for table in MOVED:
        if table in COUNTED:
            _copy(source, target, table, told)
        else:
            _copy_whole(source, target, table)
    if target.read(lambda connection: connection.dialect.name) == "postgresql":
        target.write(_set_sequences)
    return {table.name: target.read(lambda c, t=table: _count(c, t)) for table in MOVED}  # type: ignore[misc]


def _refuse_strangers(source: Store, target: Store) -> None:
    """The last event that the target has must be the source's own: the same number, the same fingerprint."""
    newest = select(events.c.id, events.c.fingerprint).order_by(events.c.id.desc()).limit(1)
    found = target.read(lambda connection: connection.execute(newest).first())
    if found is None:
        return
    same = select(events.c.fingerprint).where(events.c.id == found.id)
    known = source.read(lambda connection: connection.execute(same).scalar())
    if known is None or bytes(known) != bytes(found.fingerprint):
        raise RuntimeError("The target has events of its own; move to an empty database, or to one a move was begun to")


def _copy(source: Store, target: Store, table: Table, told: Callable[[str, int, int], None]) -> None:
    identity: Column[int] = table.c.id
    last = target.read(lambda connection: connection.execute(select(func.max(identity))).scalar()) or 0
    whole = source.read(lambda connection: _count(connection, table))
    while True:
        next_rows = select(table).where(identity > last).order_by(identity).limit(STEP)
        rows = source.read(lambda connection, wanted=next_rows: _rows(connection, wanted))  # type: ignore[misc]
        if not rows:
            return
        target.write(lambda connection, rows=rows: _insert(connection, table, rows))  # type: ignore[misc]
        last = rows[-1]["id"]
        told(table.name, target.read(lambda connection: _count(connection, table)), whole)


def _copy_whole(source: Store, target: Store, table: Table) -> None:
    rows = source.read(lambda connection: _rows(connection, select(table)))
    for start in range(0, len(rows), STEP):
        target.write(lambda c, part=rows[start : start + STEP]: _insert(c, table, part))  # type: ignore[misc]


def _rows(connection: Connection, wanted: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(wanted).mappings()]


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    connection.execute(upsert(connection, table).on_conflict_do_nothing(), rows)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _set_sequences(connection: Connection) -> None:
    """New rows are numbered after those that came with their numbers."""
    for table in COUNTED:
        newest = f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name})"  # noqa: S608 — our own names
        connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {newest}, false)"))
