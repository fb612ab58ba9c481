"""Times at which a handler runs without an event: an interval, or a time of day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as day_time
from zoneinfo import ZoneInfo

from webhooks.incidents.silences import EVERY_DAY
from webhooks.rules.policy import CLOCK_TIME, parse_days, parse_duration

# A time of day at which no server was running is made up for this much later at most.
LATEST = timedelta(hours=2)
# Each run is an event, which is stored.
SHORTEST = timedelta(minutes=1)
EXAMPLES = 'write an interval such as "15m" or "4h", or a time of day such as "08:00"'


@dataclass(frozen=True, slots=True)
class Timer:
    """An interval, or a time of day on weekdays (0 is Monday) in `zone`; None is the zone of the server."""

    interval: timedelta | None = None
    at: day_time | None = None
    days: frozenset[int] = EVERY_DAY
    zone: ZoneInfo | None = None

    def due(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return the last time, in UTC, that is due: the same in all processes. None if it is too long ago.

        Intervals begin at midnight UTC of 1 January 1970, so that "15m" is due at every quarter of an hour.
        """
        if self.interval:
            passed = now.timestamp() // self.interval.total_seconds()
            return datetime.fromtimestamp(passed * self.interval.total_seconds(), UTC)
        here = self.zone or zone
        today = now.astimezone(here).date()
        for day in (today, today - timedelta(days=1)):
            at = datetime.combine(day, self.at or day_time(), here).astimezone(UTC)
            if day.weekday() in self.days and at <= now < at + LATEST:
                return at
        return None


def parse_timer(text: str, *, zone: str | None = None, days: str | None = None) -> Timer:
    """Return the timer that a handler's author wrote. Raises ValueError with what is valid."""
    found = CLOCK_TIME.fullmatch(text.strip())
    if found:
        weekdays = parse_days(days) if days else EVERY_DAY
        return Timer(None, day_time(int(found[1]), int(found[2])), weekdays, _zone(zone))
    try:
        interval = parse_duration(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither an interval nor a time of day; {EXAMPLES}") from None
    if interval < SHORTEST:
        raise ValueError(f"{text!r} is shorter than a minute, the shortest interval")
    if zone or days:
        raise ValueError(f"an interval such as {text!r} has neither a zone nor days; {EXAMPLES}")
    return Timer(interval)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write a name such as Europe/Berlin") from None
