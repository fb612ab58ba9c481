"""Keep the monitor's queries of Tableau's jobs within 2 % of those that a site allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhooks.inbox import Inbox

# On Tableau Cloud, for all programs of a site together.
# https://help.tableau.com/current/online/en-us/to_site_capacity.htm
SITE_QUERIES_PER_DAY = 20_000
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """Queries that are allowed: `burst` at once, and `per_day` more in the course of each day."""

    name: str
    burst: int
    per_day: int


# Together at most 400 in any 24 hours: one reading of the list every five minutes, the details of 60 jobs, and what the
# watches ask. The latter may run on another server, so they have an allowance of their own.
LISTS = Allowance("lists", burst=12, per_day=288)
DETAILS = Allowance("details", burst=30, per_day=30)
WATCHES = Allowance("watches", burst=20, per_day=20)


class JobBudget:
    """The remaining allowances for one site, across restarts; `key` is appended to the names in the inbox.

    Only the process that runs the checks spends.
    """

    def __init__(self, inbox: Inbox, key: str = "") -> None:
        self._inbox, self._key = inbox, key

    def has(self, allowance: Allowance, now: datetime) -> bool:
        """Return whether a query is allowed now."""
        return self.left(allowance, now) >= 1

    def spend(self, allowance: Allowance, now: datetime, count: int = 1) -> None:
        """Count queries; more than are left delay the next ones."""
        left = max(self.left(allowance, now) - count, -float(allowance.per_day))
        self._inbox.state.set(self._name(allowance), [left, now.timestamp()])

    def take(self, allowance: Allowance, now: datetime) -> bool:
        """Count one query and return True if it is allowed now, else return False."""
        allowed = self.has(allowance, now)
        if allowed:
            self.spend(allowance, now)
        return allowed

    def left(self, allowance: Allowance, now: datetime) -> float:
        """Return how many queries are left; negative after more were made than allowed."""
        left, at = self._inbox.state.get(self._name(allowance)) or (allowance.burst, now.timestamp())
        # A time in the future comes from a clock that was wrong.
        gained = max(0.0, now.timestamp() - at) * allowance.per_day / DAY
        return min(float(allowance.burst), left + gained)

    def _name(self, allowance: Allowance) -> str:
        return f"job budget {allowance.name}{self._key}"
