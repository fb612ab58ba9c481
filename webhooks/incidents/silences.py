"""Silences and quiet hours: periods in which nothing is sent. Pure.

They are evaluated when something would be sent, so a silence never changes an incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Self

from webhooks.incidents.incident import Incident, ResourceDetails, Span
from webhooks.patterns import Patterns, matches

EVERY_DAY = frozenset(range(7))
# The fields that a silence can select incidents by.
MATCHERS = ("site", "project", "path", "resource_name", "resource_luid", "kind", "reason_class", "tags")
# The end of a silence that has none.
FOREVER = datetime.max.replace(tzinfo=UTC)
# Periods that follow each other without a gap are one; a longer chain than this has no end that matters.
MAX_CHAIN = 400
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WeeklyPeriod:
    """Daily times on some weekdays in a time zone, such as 22:00 to 06:30 from Monday to Friday.

    `days` are the weekdays (0 is Monday) on which it begins; if `end` is not after `start`, it ends on the next day.
    """

    start: time
    end: time
    days: frozenset[int]
    zone: tzinfo

    def span_at(self, at: datetime) -> Span | None:
        """Return the period that covers the time, in UTC; None if there is none."""
        today = at.astimezone(self.zone).date()
        for day in (today, today - DAY):
            last = day if self.end > self.start else day + DAY
            # Times that the clock skips or repeats count as the first ones.
            start = datetime.combine(day, self.start, self.zone).astimezone(UTC)
            span = Span(start, datetime.combine(last, self.end, self.zone).astimezone(UTC))
            if day.weekday() in self.days and span.covers(at):
                return span
        return None


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about an incident's resource that only Tableau has, for the matchers of silences.

    `projects` are the name and the path of the project, `site` is the name of the site. `tags` is None while they are
    unknown.
    """

    site: str = ""
    projects: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None

    @classmethod
    def of(cls, details: ResourceDetails, site: str) -> Self:
        """Return the facts of a resource on the site of that name."""
        path = details.project
        return cls(site, projects=(path, path.rpartition("/")[2]) if path else (), tags=details.tags)


NO_FACTS = Facts()


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
    matchers: Mapping[str, Patterns] = field(default_factory=dict)
    weekly: WeeklyPeriod | None = None

    def matches(self, incident: Incident, facts: Facts = NO_FACTS) -> bool:
        """Return whether the silence is about the incident. One by tags is not while they are unknown."""
        return self._matches(incident, facts, without=()) and not ("tags" in self.matchers and facts.tags is None)

    def lacks_tags(self, incident: Incident, facts: Facts = NO_FACTS) -> bool:
        """Return whether the silence might be about the incident, but its tags are unknown."""
        return "tags" in self.matchers and facts.tags is None and self._matches(incident, facts, without=("tags",))

    def _matches(self, incident: Incident, facts: Facts, without: tuple[str, ...]) -> bool:
        values = {
            "site": (incident.site_luid, facts.site or None),
            "project": facts.projects,
            # The path alone: a project of the same name may be elsewhere.
            "path": facts.projects[:1],
            "resource_name": (incident.resource_name,),
            "resource_luid": (incident.resource_luid,),
            "kind": (incident.kind,),
            "reason_class": (incident.reason_class,),
            "tags": facts.tags or (),
        }
        return all(matches(patterns, values[name]) for name, patterns in self.matchers.items() if name not in without)

    def span_at(self, at: datetime) -> Span | None:
        """Return the period of the silence that covers the time; None if it is not in force then."""
        whole = Span(self.start, self.end)
        if not whole.covers(at) or self.weekly is None:
            return whole if whole.covers(at) else None
        weekly = self.weekly.span_at(at)
        if weekly is None or weekly.end is None:
            return weekly
        return Span(max(weekly.start, self.start), min(weekly.end, self.end or FOREVER))


@dataclass(frozen=True, slots=True)
class ActiveSilence:
    """A silence that holds the messages about an incident until a time; None: until it is ended."""

    silence: Silence
    until: datetime | None

    def describe(self, when: Callable[[datetime], str]) -> str:
        """Return who silenced the incident and until when: `silenced by Ann until 14:00 (silence 3)`."""
        until = f" until {when(self.until)}" if self.until else ""
        return f"silenced by {self.silence.by}{until} (silence {self.silence.id})"


def active_silence(
    incident: Incident, silences: Iterable[Silence], now: datetime, facts: Facts = NO_FACTS
) -> ActiveSilence | None:
    """Return the silence that holds the messages about an open incident now: of several, the longest."""
    if not incident.is_open:
        return None
    spans = [(silence, span) for silence in silences if (span := silence.span_at(now))]
    found = [ActiveSilence(silence, span.end) for silence, span in spans if silence.matches(incident, facts)]
    return max(found, key=lambda one: one.until or FOREVER, default=None)


@dataclass(frozen=True, slots=True)
class Holds:
    """The silences and quiet hours that hold the notices of one incident."""

    silences: tuple[Silence, ...] = ()
    quiet: WeeklyPeriod | None = None

    @classmethod
    def of(
        cls, incident: Incident, quiet: WeeklyPeriod | None, silences: Iterable[Silence], facts: Facts = NO_FACTS
    ) -> Self:
        """Return those that are about the incident."""
        return cls(tuple(silence for silence in silences if silence.matches(incident, facts)), quiet)

    def end(self, at: datetime) -> datetime | None:
        """Return when a notice that is due at that time may be sent; None: at once, FOREVER: not as far as is known.

        Silences and quiet hours that overlap or follow each other are one.
        """
        end = at
        for _ in range(MAX_CHAIN):
            spans = [one.span_at(end) for one in (*self.silences, self.quiet) if one]
            ends = [span.end or FOREVER for span in spans if span]
            if not ends or end == FOREVER:
                return end if end > at else None
            end = max(ends)
        return FOREVER

    def causes(self, at: datetime) -> list[str]:
        """Return what holds a notice that is due at that time until `end(at)`: `silence 3 by Ann (backup)`."""
        named = [(f"silence {one.id} by {one.by} ({one.reason})", one.span_at) for one in self.silences]
        if self.quiet:
            named.append(("quiet hours", self.quiet.span_at))
        found: dict[str, None] = {}
        end = at
        for _ in range(MAX_CHAIN):
            spans = {name: span for name, span_at in named if end < FOREVER and (span := span_at(end))}
            if not spans:
                break
            found |= dict.fromkeys(spans)
            end = max(span.end or FOREVER for span in spans.values())
        return list(found)
