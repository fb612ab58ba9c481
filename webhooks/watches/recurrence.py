"""The times at which a schedule of Tableau starts its tasks. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self

DAY = timedelta(days=1)
MONDAY_FIRST = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY = frozenset(range(7))
# The words of a monthly schedule such as "the second Tuesday".
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
LAST_DAY = -1
# A monthly schedule on the 31st has a next run within two months, one on 29 February within eight years.
FARTHEST = timedelta(days=8 * 366)
# The shortest time between two runs of a schedule by its frequency, where Tableau says nothing more.
PERIODS = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": DAY, "monthly": timedelta(days=28)}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A schedule as Tableau describes it in `frequency` and `frequencyDetails`, in the local time of `zone`.

    `every` is the interval within a day, from `start` to `end`; None for one run a day. `month_days` are days of the
    month, LAST_DAY for the last one; `ordinal` is the number of the weekday in the month, -1 for the last one.
    """

    frequency: str
    start: time
    zone: tzinfo
    end: time | None = None
    every: timedelta | None = None
    weekdays: frozenset[int] = EVERY_DAY
    month_days: frozenset[int] = frozenset()
    ordinal: int | None = None

    @classmethod
    def of(
        cls, frequency: str, start: str, end: str, intervals: Sequence[Mapping[str, str]], zone: tzinfo
    ) -> Self | None:
        """Return the schedule; None if the description does not say when it runs."""
        first, last, name = _clock(start), _clock(end), frequency.strip().lower()
        if first is None or name not in PERIODS:
            return None
        values = [(key.lower(), str(value).strip().lower()) for one in intervals for key, value in one.items()]
        weekdays = frozenset(
            MONDAY_FIRST.index(value) for key, value in values if key == "weekday" and value in MONDAY_FIRST
        )
        days = [value for key, value in values if key == "monthday"]
        month_days = frozenset(
            LAST_DAY if value == "lastday" else int(value) for value in days if value == "lastday" or value.isdecimal()
        )
        ordinal = next((ORDINALS[value] for value in days if value in ORDINALS), None)
        if name == "monthly" and not month_days and (ordinal is None or not weekdays):
            return None
        return cls(
            name,
            first,
            zone,
            last,
            _interval(name, values),
            weekdays or EVERY_DAY,
            month_days if ordinal is None else frozenset(),
            ordinal,
        )

    @property
    def period(self) -> timedelta:
        """Return the shortest time between two runs."""
        return min(filter(None, (PERIODS[self.frequency], self.every)))

    def following(self, after: datetime) -> datetime | None:
        """Return the first run after that time, in UTC; None if there is none within eight years.

        A time that the clock skips is that much later, one that it repeats is the first of the two.
        """
        # The run of the day before may be after midnight in UTC.
        day = after.astimezone(self.zone).date() - DAY
        last = day + FARTHEST
        while day <= last:
            if self._includes(day):
                found = next((at for at in self._times(day) if at > after), None)
                if found:
                    return found
            day += DAY
        return None

    def _includes(self, day: date) -> bool:
        if self.frequency != "monthly":
            return day.weekday() in self.weekdays
        length = monthrange(day.year, day.month)[1]
        if self.ordinal is None:
            return day.day in self.month_days or (LAST_DAY in self.month_days and day.day == length)
        is_last = day.day + 7 > length
        number = (day.day - 1) // 7 + 1
        return day.weekday() in self.weekdays and (is_last if self.ordinal == LAST_DAY else number == self.ordinal)

    def _times(self, day: date) -> Iterator[datetime]:
        at = datetime.combine(day, self.start)
        end = datetime.combine(day, self.end) if self.end else at
        if self.every and end <= at:
            # Without an end, or until the same time: around the clock.
            end = at + DAY - self.every
        while True:
            yield at.replace(tzinfo=self.zone).astimezone(UTC)
            if self.every is None or at + self.every > end:
                return
            at += self.every


def _interval(frequency: str, values: Sequence[tuple[str, str]]) -> timedelta | None:
    """Return the interval between two runs of a day: an hour for an hourly schedule that gives none."""
    hours = [int(value) for key, value in values if key == "hours" and value.isdecimal()]
    minutes = [int(value) for key, value in values if key == "minutes" and value.isdecimal()]
    length = timedelta(hours=sum(hours[:1]), minutes=sum(minutes[:1]))
    if frequency not in {"hourly", "daily"} or not timedelta() < length < DAY:
        return timedelta(hours=1) if frequency == "hourly" else None
    return length


def _clock(text: str) -> time | None:
    try:
        return time.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return None
