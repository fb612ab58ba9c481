"""Silences and quiet hours: periods in which nothing is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo

from webhooks.incidents.incident import Incident

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
# The fields of an incident that a silence can select, with the facts that only Tableau knows.
MATCHERS = ("site_luid", "project", "resource_name", "resource_luid", "kind", "reason_class", "tags")


@dataclass(frozen=True, slots=True)
class WeeklyPeriod:
    """Daily times on some weekdays in a time zone, such as 22:00 to 06:30 from Monday to Friday.

    `days` are the weekdays (0 is Monday) on which it begins; if `end` is not after `start`, it ends on the next day.
    """

    start: time
    end: time
    days: frozenset[int]
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Silence:
    """Matchers and a period in which nothing is sent about the incidents that match.

    `matchers` maps a field of MATCHERS to patterns as in rules (`*`, `?`, a leading `!` excludes); all must match, and
    none means everything. It is in force from `start` to `end` (None: until it is ended), and with `weekly` only at
    those times of that period.
    """

    id: str
    start: datetime
    end: datetime | None
    by: str
    reason: str
    matchers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weekly: WeeklyPeriod | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about an incident's resource that only Tableau has, for the matchers of silences."""

    project: str = ""
    tags: tuple[str, ...] = ()


def silenced_until(
    incident: Incident, silences: Iterable[Silence], at: datetime, facts: Facts = Facts()
) -> datetime | None:
    """Return the end of the silence that holds notices of the incident at that time; None if there is none."""
    raise NotImplementedError
