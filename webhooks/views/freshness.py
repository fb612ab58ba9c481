"""In which months a promise of freshness was kept: on how many of its days content was fresh by the declared time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhooks.inbox.resources.lists import PromisedTime


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a promise: on `kept` of `total` days the content was fresh in time."""

    first_day: date
    kept: int
    total: int

    @property
    def name(self) -> str:
        """The month as people write it: `January 2026`."""
        return f"{self.first_day:%B %Y}"

    @property
    def share(self) -> str:
        """The share of the days on which it was kept; 100 % only if it was kept on all."""
        return f"{self.kept * 100 // self.total} %"


@dataclass(frozen=True, slots=True)
class Promise:
    """The promise of a `[[watch]]` with `fresh_by` about some content, with its months, newest first."""

    watch: str
    by: str
    months: Sequence[Month]


def promises(times: Iterable[PromisedTime], zone: tzinfo) -> list[Promise]:
    """Return the promises by name; `times` are newest first, and the newest gives the time of the day."""
    by: dict[str, str] = {}
    months: dict[str, dict[date, list[bool]]] = {}
    for one in times:
        at = one.at.astimezone(zone)
        by.setdefault(one.watch, f"{at:%H:%M}")
        months.setdefault(one.watch, {}).setdefault(at.date().replace(day=1), []).append(one.kept)
    return [
        Promise(watch, by[watch], [Month(first_day, sum(kept), len(kept)) for first_day, kept in months[watch].items()])
        for watch in sorted(by)
    ]
