"""A worker's round: what came is planned and what is due is claimed, where it can be in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from webhooks.inbox.events import Arrivals, Matching
from webhooks.inbox.jobs import Leases
from webhooks.job import Job

PLAN = 200
"""Events planned in a round at most."""


class Rounds(Arrivals, Leases):
    """`take` is `plan` and `claim` for the price of one commit: an event that comes alone is on its way sooner."""

    def take(
        self, owner: str, matching: Matching, *, room: int, lease: float, plan: int = PLAN
    ) -> tuple[int, list[Job]]:
        """How many events were planned, at most `plan`, and up to `room` jobs, claimed as by `claim`."""
        plans = self.plans(matching, plan) if plan else {}
        if room <= 0 or not any(plans.values()):
            planned = self.put(plans)
            return planned, self.claim(owner, room, lease) if room > 0 else []

        def both(connection: Connection) -> tuple[int, list[dict[str, Any]]]:
            now = self.store.seconds(connection)
            return self._put(connection, plans, now), self._claim(connection, owner, room, lease, now)

        planned, rows = self.store.write(both)
        return planned, self.claimed(rows)
