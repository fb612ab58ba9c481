"""The `[digest]` table: when a summary of all incidents is sent, and where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as day_time
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from webhooks.destinations import CommonDestination
from webhooks.incidents.silences import EVERY_DAY
from webhooks.rules.policy import CLOCK_TIME, parse_days

# A digest that could not be sent at its time, because no server was running, is sent this much later at most.
LATEST = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Digest:
    """The daily time and the weekdays (0 is Monday) of the digest, in TIMEZONE, and its destinations."""

    at: day_time
    days: frozenset[int]
    notify: tuple[str, ...]

    def due(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return the time of the digest that is due now, in UTC; None if none was due in the last two hours."""
        today = now.astimezone(zone).date()
        for day in (today, today - timedelta(days=1)):
            at = self._on(day, zone)
            if day.weekday() in self.days and at <= now < at + LATEST:
                return at
        return None

    def before(self, at: datetime, zone: tzinfo) -> datetime:
        """Return the time of the digest before the one at that time."""
        day = at.astimezone(zone).date() - timedelta(days=1)
        while day.weekday() not in self.days:
            day -= timedelta(days=1)
        return self._on(day, zone)

    def _on(self, day: date, zone: tzinfo) -> datetime:
        return datetime.combine(day, self.at, zone).astimezone(UTC)


def parse_at(value: object) -> day_time:
    """Return the time of day that a text such as `08:00` gives. Raises ValueError."""
    found = CLOCK_TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is not a time of day; write for example at = "08:00"')
    return day_time(int(found[1]), int(found[2]))


class DigestModel(BaseModel):
    """The keys of `[digest]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    at: Annotated[Any, BeforeValidator(parse_at)] = Field(
        description="time of day in the zone `TIMEZONE`", examples=["08:00"]
    )
    days: Annotated[Any, BeforeValidator(parse_days)] = Field(
        EVERY_DAY, description="weekdays; without it, every day", examples=["mon-fri"]
    )
    notify: Annotated[
        tuple[CommonDestination, ...],
        BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        AfterValidator(lambda destinations: tuple(dict.fromkeys(destinations))),
    ] = Field(description="destinations: one, or a list", examples=["slack:#bi"])

    @property
    def digest(self) -> Digest:
        """Return the validated values."""
        return Digest(self.at, self.days, self.notify)
