"""Look up the schedule of content in Tableau: failures in a row, the next run, and the content that depends on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tableau_rest.errors import TableauError
from webhooks.context.shared_lookups import shared_lookups

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from webhooks.inbox.resources.downstream import DependentWorkbook

# One list has the tasks of all content, so it serves all failures of a minute.
MAX_AGE = timedelta(minutes=1)
# A list from before a failure does not count that failure; it is fetched again, but not for each of a storm.
MIN_AGE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The refresh tasks of some content, as Tableau describes them.

    `strikes` is the greatest number of failures in a row of one of them, `next_run_at` the first of their next runs.
    """

    strikes: int | None = None
    next_run_at: datetime | None = None


UNKNOWN = Schedule()


@dataclass(frozen=True, slots=True)
class Listing:
    """The schedules of a site's content by LUID at a time; empty if Tableau refused the list."""

    at: datetime
    schedules: dict[str, Schedule] = field(default_factory=dict)

    def serves(self, now: datetime, failed_at: datetime | None) -> bool:
        """Return whether the list is fresh enough for content that failed at that time."""
        is_older = failed_at is not None and self.at < failed_at
        return now - self.at <= (MIN_AGE if is_older else MAX_AGE)


_listings: WeakKeyDictionary[Tableau, Listing] = WeakKeyDictionary()


def find_schedule(luid: str, tableau: Tableau, now: datetime, failed_at: datetime | None = None) -> Schedule:
    """Return the schedule of the content with this LUID; an empty one if there is none or Tableau does not say."""
    with shared_lookups(tableau).requesting_schedules:
        listing = _listings.get(tableau)
        if listing is None or not listing.serves(now, failed_at):
            listing = _listings[tableau] = Listing(now, _fetch(tableau))
    return listing.schedules.get(luid.lower(), UNKNOWN)


def find_downstream(luid: str, tableau: Tableau) -> list[DependentWorkbook] | None:
    """Return the workbooks that use a data source; None if the Metadata API does not know all of them."""
    from webhooks.inbox.resources.downstream import DependentWorkbook  # noqa: PLC0415 - commands about rules need no database

    try:
        found = tableau.downstream_workbooks(luid)
    except TableauError:
        return None
    if not found.complete:
        return None
    return [DependentWorkbook(one.luid, one.name, one.project_name, one.owner_name) for one in found.workbooks]


def _fetch(tableau: Tableau) -> dict[str, Schedule]:
    found: dict[str, Schedule] = {}
    try:
        for task in tableau.extract_refresh_tasks():
            if task.content is None:
                continue
            luid = task.content.luid.lower()
            known = found.get(luid, UNKNOWN)
            runs = [at for at in (known.next_run_at, task.next_run_at) if at]
            found[luid] = Schedule(max(known.strikes or 0, task.consecutive_failed_count), min(runs, default=None))
    except TableauError:
        return {}
    return found
