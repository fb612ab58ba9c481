"""The refreshes since the last evening, by project and hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhooks.inbox.runs.overviews import HourOfRuns

# A night begins at this time in TIMEZONE.
EVENING = time(22)
# At midnight the evening before is of more use than the last two hours.
LEAST = timedelta(hours=6)
MAX_PROJECTS = 8
OTHER = "other projects"
UNKNOWN = "no project known"
# The worst outcome within an hour decides its colour.
WORST = ("failed", "cancelled", "unknown", "running", "succeeded")


@dataclass(frozen=True, slots=True)
class Hour:
    """The refreshes of a project in one hour."""

    start: datetime
    outcomes: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of refreshes."""
        return sum(self.outcomes.values())

    @property
    def worst(self) -> str:
        """The worst outcome; empty without refreshes."""
        return next((outcome for outcome in WORST if self.outcomes.get(outcome)), "")


@dataclass(frozen=True, slots=True)
class ProjectNight:
    """The refreshes of a project since the evening, hour by hour."""

    project: str
    hours: Sequence[Hour]

    @property
    def total(self) -> int:
        """The number of refreshes."""
        return sum(hour.total for hour in self.hours)

    @property
    def failed(self) -> int:
        """The number of failures."""
        return sum(hour.outcomes.get("failed", 0) for hour in self.hours)


def last_evening(now: datetime, zone: tzinfo) -> datetime:
    """Return the last 22:00 in `zone` that is at least six hours ago."""
    today = datetime.combine(now.astimezone(zone).date(), EVENING, zone)
    evenings = (today - timedelta(days=days) for days in range(3))
    return next(evening for evening in evenings if now - evening >= LEAST)


def nights(rows: Sequence[HourOfRuns], since: datetime, now: datetime) -> list[ProjectNight]:
    """Return a row for each project, those with failures first; small ones are joined to one row."""
    number = int((now - since) / timedelta(hours=1)) + 1
    hours: dict[str, list[Counter[str]]] = {}
    for row in rows:
        project = row.project.partition("/")[0] or UNKNOWN
        counters = hours.setdefault(project, [Counter() for _ in range(number)])
        if 0 <= row.hour < number:
            counters[row.hour][row.outcome] += row.number
    found = [_night(project, counters, since) for project, counters in hours.items()]
    found.sort(key=lambda night: (-night.failed, -night.total, night.project))
    if len(found) <= MAX_PROJECTS:
        return found
    rest = found[MAX_PROJECTS - 1 :]
    joined = [sum((Counter(night.hours[hour].outcomes) for night in rest), Counter[str]()) for hour in range(number)]
    return [*found[: MAX_PROJECTS - 1], _night(f"{len(rest)} {OTHER}", joined, since)]


def _night(project: str, counters: Sequence[Counter[str]], since: datetime) -> ProjectNight:
    step = timedelta(hours=1)
    return ProjectNight(project, [Hour(since + step * place, counter) for place, counter in enumerate(counters)])
