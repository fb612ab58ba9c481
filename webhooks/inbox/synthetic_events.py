"""Events that the server makes itself: what it missed while it was down, and what it has to tell."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from webhooks.clock import parse_time
from webhooks.event import Event
from webhooks.inbox.databases.store import Store, upsert
from webhooks.inbox.records import Receipt, event_of
from webhooks.inbox.schema import events, made

PAGE = 500
SAME_SECONDS = 120.0
"""The real event and the one made in its place may differ by so much in their time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that is kept, in short; `happened_at` is its own time, `received_at` ours, both in seconds."""

    event_type: str
    resource_luid: Any
    resource_name: Any
    happened_at: float | None
    received_at: float
    site_luid: Any = None


class Made:
    """`make` keeps an event of our own; `stands_for` knows the real one when it comes after all."""

    store: Store
    news: threading.Event

    def make(self, event: Event, origin: str, happened_at: datetime) -> Receipt:
        """Keeps an event that nobody sent. One with the same core fields is left as it is, whoever it came from."""
        texts = {name: getattr(event, name) for name in ("event_type", "resource_luid", "resource_name", "site_luid")}

        def keep(connection: Connection) -> Receipt:
            now = self.store.wall(self.store.seconds(connection))
            row = upsert(connection, events).values(
                fingerprint=event.fingerprint, body=event.body, received_at=now, **texts
            )
            fresh = row.on_conflict_do_nothing(index_elements=["fingerprint"]).returning(events.c.id)
            event_id = connection.execute(fresh).scalar()
            if event_id is None:
                known = select(events.c.id).where(events.c.fingerprint == event.fingerprint)
                return Receipt(int(connection.execute(known).scalar_one()), duplicate=True)
            about = {"event_type": event.event_type, "resource_luid": event.resource_luid}
            happened = happened_at.timestamp()
            connection.execute(insert(made).values(event_id=event_id, origin=origin, happened_at=happened, **about))
            return Receipt(event_id, duplicate=False)

        receipt = self.store.write(keep)
        self.news.set()
        return receipt

    def stands_for(self, event: Event) -> int | None:
        """The id of the event that was made in place of this one, before it came; None where there is none."""
        about = (made.c.resource_luid == event.resource_luid, made.c.event_type == event.event_type)
        found = select(made.c.event_id, made.c.happened_at).where(*about, made.c.event_id != event.id)
        rows = self.store.read(lambda connection: connection.execute(found).all())
        at = parse_time(event.created_at)
        for row in rows:
            near = at is not None and abs(at.timestamp() - row.happened_at) <= SAME_SECONDS
            if near or event.type.happens_once:
                return int(row.event_id)
        return None

    def origin(self, event_id: int) -> str | None:
        """Why we made the event; None for one that was sent."""
        found = select(made.c.origin).where(made.c.event_id == event_id)
        origin: str | None = self.store.read(lambda connection: connection.execute(found).scalar())
        return origin

    def arrivals(self, since: datetime) -> list[Arrival]:
        """What was received since then, newest first; those we made count as well."""
        return [_arrival(event) for event in self._back_to(since.timestamp(), None)]

    def sent(self, limit: int = 1000) -> list[float]:
        """When the last so many events came that somebody sent, newest first, in seconds since 1970."""
        ours = select(made.c.event_id)
        found = select(events.c.received_at).where(events.c.id.not_in(ours)).order_by(events.c.id.desc()).limit(limit)
        return list(self.store.read(lambda connection: connection.execute(found).scalars().all()))

    def _back_to(self, oldest: float, before: int | None) -> list[Event]:
        """Page by page from the end: only ids have an index."""
        found: list[Event] = []
        while True:
            page = select(events.c.id.label("event_id"), events.c.body, events.c.fingerprint, events.c.received_at)
            if before is not None:
                page = page.where(events.c.id < before)
            wanted = page.order_by(events.c.id.desc()).limit(PAGE)
            rows = self.store.read(lambda connection, wanted=wanted: connection.execute(wanted).mappings().all())  # type: ignore[misc]
            found += [event_of(row) for row in rows if row["received_at"] >= oldest]
            if len(rows) < PAGE or rows[-1]["received_at"] < oldest:
                return found
            before = rows[-1]["event_id"]


def _arrival(event: Event) -> Arrival:
    at = parse_time(event.created_at)
    received = event.received_at.timestamp() if event.received_at else 0.0
    happened = at.timestamp() if at else None
    return Arrival(event.event_type, event.resource_luid, event.resource_name, happened, received, event.site_luid)
