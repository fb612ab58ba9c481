"""Silences: periods in which nothing is sent about the incidents that match."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.notices.notices import weekly_as_dict, weekly_from_dict
from webhooks.inbox.notices.tables import silences
from webhooks.incidents.silences import Silence, WeeklyPeriod


class Silences:
    """All silences; those that have ended stay until the retention deletes them."""

    def __init__(self, store: Store, scope: Scope = WHOLE) -> None:
        self._store, self._scope = store, scope

    def add(
        self,
        *,
        matchers: Mapping[str, Sequence[str]],
        start: datetime,
        end: datetime | None,
        by: str,
        reason: str,
        weekly: WeeklyPeriod | None = None,
    ) -> Silence:
        """Store a silence, limited to the scope, and return it. Raises ValueError for a site outside of it."""
        narrowed = self._scope.narrow(matchers)
        values = {
            "matchers": json.dumps({name: list(patterns) for name, patterns in narrowed.items()}),
            "starts_at": start.timestamp(),
            "ends_at": end and end.timestamp(),
            "weekly": json.dumps(weekly_as_dict(weekly)) if weekly else None,
            "author": by,
            "reason": reason,
            "created_at": start.timestamp(),
        }
        new = insert(silences).values(values).returning(*silences.c)
        return self._store.write(lambda connection: _silence(connection.execute(new).mappings().one()))

    def list(self, since: datetime, *, before: int | None = None, limit: int | None = None) -> Sequence[Silence]:
        """Return the silences in the scope that have not ended before that time, newest first.

        `before` is the number of the last silence of the page before.
        """
        visible = (one for one in self.since(since) if self._scope.includes(one))
        return list(islice((one for one in visible if before is None or int(one.id) < before), limit))

    def since(self, since: datetime) -> Sequence[Silence]:
        """Return all of them, also those that a visitor may not list: they decide what is sent."""
        query = select(silences).where(or_(silences.c.ends_at.is_(None), silences.c.ends_at > since.timestamp()))
        return [_silence(row) for row in self._store.rows(query.order_by(silences.c.id.desc()))]

    def end(self, silence_id: int, now: datetime) -> bool:
        """End a silence now, and let the messages that it held be sent.

        Return whether there was one that had not ended.
        """
        own = select(silences).where(silences.c.id == silence_id)
        running = or_(silences.c.ends_at.is_(None), silences.c.ends_at > now.timestamp())

        def end(connection: Connection) -> bool:
            row = connection.execute(own.where(running)).mappings().first()
            if row is None or not self._scope.includes(_silence(row)):
                return False
            ended = update(silences).where(silences.c.id == silence_id)
            connection.execute(ended.values(ends_at=now.timestamp()))
            # Incidents wake at the end that the silence had before; those of a silence without an end do not wake.
            held = or_(
                incidents.c.due_at > now.timestamp(),
                incidents.c.closed_at.is_(None),
                incidents.c.closed_at >= row["starts_at"],
            )
            connection.execute(update(incidents).where(held).values(due_at=now.timestamp()))
            return True

        return self._store.write(end)

    def delete_before(self, before: float) -> int:
        """Delete silences that ended before that time (seconds since 1970), and return how many."""
        return self._store.execute(delete(silences).where(silences.c.ends_at < before))


def _silence(row: RowMapping) -> Silence:
    return Silence(
        id=str(row["id"]),
        start=from_timestamp(row["starts_at"]),
        end=None if row["ends_at"] is None else from_timestamp(row["ends_at"]),
        by=row["author"],
        reason=row["reason"],
        matchers={name: tuple(patterns) for name, patterns in json.loads(row["matchers"]).items()},
        weekly=weekly_from_dict(json.loads(row["weekly"])) if row["weekly"] else None,
    )
