"""Conditions on the time of an event: `day = "mon-fri"`, `hour = "8-17"`, in the zone TIMEZONE. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

from webhooks.patterns import Patterns, divide
from webhooks.rules.policy import parse_days

DAY, HOUR = "day", "hour"
TIME_FIELDS = (DAY, HOUR)
WHOLE_HOURS = re.compile(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?")
CLOCK_TIMES = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")
MINUTES_OF_A_DAY = 24 * 60
_EVERY_MINUTE = [timedelta(minutes=one) for one in range(MINUTES_OF_A_DAY)]


def check_time(name: str, pattern: str) -> None:
    """Raise ValueError, with what would be right, if a pattern of `day` or `hour` is invalid."""
    (parse_days if name == DAY else _minutes)(pattern.removeprefix("!"))


def matches_time(name: str, patterns: Patterns, at: datetime) -> bool:
    """Return whether the local time `at` is on one of the days or in one of the hours, and in none excluded by `!`."""
    included, excluded = divide(patterns)
    return (not included or any(_contains(name, one, at) for one in included)) and not any(
        _contains(name, one, at) for one in excluded
    )


def time_table(name: str, patterns: Patterns) -> tuple[bool, ...]:
    """Return whether the patterns match, for each weekday (`day`) or each minute of a day (`hour`)."""
    first = datetime(2024, 1, 1)  # noqa: DTZ001 - any Monday, of which only the weekday and the time count
    steps = [timedelta(days=one) for one in range(7)] if name == DAY else _EVERY_MINUTE
    return tuple(matches_time(name, patterns, first + step) for step in steps)


def time_text(name: str, at: datetime) -> str:
    """Return the day or the time of day in words."""
    return f"{at:%a}".lower() if name == DAY else f"{at:%H:%M}"


def _contains(name: str, pattern: str, at: datetime) -> bool:
    if name == DAY:
        return at.weekday() in _days(pattern)
    start, end = _minutes(pattern)
    minute = at.hour * 60 + at.minute
    # Hours such as 22-5 go over midnight.
    return start <= minute < end if start < end else minute >= start or minute < end


@lru_cache(maxsize=256)
def _days(pattern: str) -> frozenset[int]:
    return parse_days(pattern)


@lru_cache(maxsize=256)
def _minutes(pattern: str) -> tuple[int, int]:
    """Return the first minute of the day, and the one behind the last. Raises ValueError."""
    text = pattern.strip()
    if found := CLOCK_TIMES.fullmatch(text):
        numbers = list(map(int, found.groups()))
        start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    elif found := WHOLE_HOURS.fullmatch(text):
        first, last = int(found[1]), int(found[2] or found[1])
        start, end = first * 60, (last + 1) * 60
    else:
        start = end = MINUTES_OF_A_DAY
    if start >= MINUTES_OF_A_DAY or end > MINUTES_OF_A_DAY or start == end:
        raise ValueError(f'{pattern!r} is not an hour; write 8, "8-17" (08:00 to 17:59) or "08:30-17:00"')
    return start, end
