"""The audit log: who did what, when, from where, on what. Append-only, each row chained to the one before by a hash."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select

from webhooks.clock import from_timestamp
from webhooks.inbox.access.tables import audit
from webhooks.inbox.databases.store import Store

log = logging.getLogger(__name__)

# The origins of acts on the command line begin with this.
COMMAND_LINE = "command line on "
# The digest before the first row.
BEGINNING = ""
LAST = select(audit.c.digest).order_by(audit.c.id.desc()).limit(1)
# Rows that are read at once to verify the log.
PAGE = 1000
MAX_TEXT = 1000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that a person or a program did.

    `origin` is where: `page 10.0.0.7`, `command line HOST`, `Slack`. `subject` is on what: `incident 14`, `event 41`.
    `digest` covers this row and the digest of the row before.
    """

    id: int
    at: datetime
    by: str
    origin: str
    act: str
    subject: str
    details: str
    digest: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a check: the rows that are chained, the last digest of them, and the first row that is not.

    `found` is whether a digest that was noted earlier is among them; None if none was given.
    """

    rows: int
    digest: str
    broken: int | None = None
    found: bool | None = None


class Audit:
    """The audit log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, *, by: str, origin: str, act: str, subject: str, details: str = "") -> None:
        """Append a row, and return when it is committed; secrets in it are masked."""

        def record(connection: Connection) -> None:
            append(self._store, connection, by=by, origin=origin, act=act, subject=subject, details=details)

        self._store.write(record)
        # The details of a replay are the ids of its events.
        shown = f"{subject} {details}" if subject == "events" else f"{subject} ({details})"
        log_act(act, shown if details else subject, by=by, origin=origin)

    def list(self, *, before: int | None = None, subject: str = "", limit: int = 50) -> list[AuditEntry]:
        """Return rows, newest first; `before` returns those with a smaller id."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        if subject:
            query = query.where(audit.c.subject == subject)
        return [_entry(row) for row in self._store.rows(query)]

    def verify(self, noted: str = "") -> Verification:
        """Compute the chain again, and return how far it is intact. `noted` is a digest that has to be in it.

        The chain shows a row that was changed, added or removed in between; that the last rows were removed is shown
        only by a digest that was noted elsewhere.
        """
        previous, rows, found = BEGINNING, 0, not noted
        for entry in self._entries():
            if entry.digest != _digest(previous, entry):
                return Verification(rows, previous, entry.id, found if noted else None)
            previous, rows = entry.digest, rows + 1
            found = found or entry.digest == noted
        return Verification(rows, previous, None, found if noted else None)

    def _entries(self) -> Iterator[AuditEntry]:
        query, last = select(audit).order_by(audit.c.id).limit(PAGE), 0
        while rows := self._store.rows(query.where(audit.c.id > last)):
            yield from map(_entry, rows)
            last = rows[-1]["id"]


def log_act(act: str, subject: str, *, by: str, origin: str, event_id: int | None = None) -> None:
    """Log an act that was committed, with the event of its incident; a command has shown its own."""
    if not origin.startswith(COMMAND_LINE):
        event = "" if event_id is None else f" event={event_id}"
        log.info("Act stored: act=%r on %s%s by=%r origin=%r", act, subject, event, by, origin)


def append(
    store: Store, connection: Connection, *, by: str, origin: str, act: str, subject: str, details: str = ""
) -> None:
    """Append a row within a transaction."""
    # Two rows must not follow the same one.
    store.serialize(connection, ["audit"])
    previous = connection.execute(LAST).scalar() or BEGINNING
    texts = {"author": by, "origin": origin, "act": act, "subject": subject, "details": details}
    values = {name: store.redact(text).replace("\0", "\ufffd")[:MAX_TEXT] for name, text in texts.items()}
    # A time keeps fewer digits than a float, and the digest has to be the same when the row is read.
    row = {**values, "acted_at": round(store.to_wall(store.now(connection)), 3)}
    connection.execute(insert(audit).values(**row, digest=_digest_of(previous, row)))


def _digest(previous: str, entry: AuditEntry) -> str:
    values = {"author": entry.by, "origin": entry.origin, "act": entry.act, "subject": entry.subject}
    return _digest_of(previous, {**values, "details": entry.details, "acted_at": entry.at.timestamp()})


def _digest_of(previous: str, row: dict[str, object]) -> str:
    names = ("acted_at", "author", "origin", "act", "subject", "details")
    values = [f"{row[name]:.3f}" if name == "acted_at" else row[name] for name in names]
    return hashlib.sha256(f"{previous}\n{json.dumps(values)}".encode()).hexdigest()


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at=from_timestamp(row["acted_at"]),
        by=row["author"],
        origin=row["origin"],
        act=row["act"],
        subject=row["subject"],
        details=row["details"],
        digest=row["digest"],
    )
