"""The keys of a rule that say when a destination is notified of an incident: failures, after, grace, repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta, tzinfo
from datetime import time as day_time
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from notifiers import parse_mention
from webhooks.incidents.silences import EVERY_DAY, WeeklyPeriod

# Keys of a rule that hold for all its destinations; a destination may give its own.
SHARED_KEYS = ("repeat", "quiet", "each", "mention", "picture", "title", "text")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FULL_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MEANT_DAYS = {"weekend": "sat,sun", "weekends": "sat,sun", "weekday": "mon-fri", "weekdays": "mon-fri"}
# Keys about the message of a problem. With `each`, there is none: each failure has its own message, sent at once.
ABOUT_PROBLEMS = ("failures", "after", "grace", "repeat", "quiet", "mention")
DURATION = re.compile(r"(\d{1,6})\s*(s|min|m|h|d)")
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
LONGEST = timedelta(days=60)
SHORTEST_INTERVAL = timedelta(minutes=1)
CLOCK_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as `30m`, `4h` or `2d` gives. Raises ValueError with valid ones."""
    found = DURATION.fullmatch(text.strip().lower())
    length = timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else timedelta()
    if not timedelta() < length <= LONGEST:
        raise ValueError(f'{text!r} is not a duration up to 60 days; write for example "30m", "4h" or "2d"')
    return length


def parse_weekly(value: object, zone: tzinfo) -> WeeklyPeriod:
    """Return the weekly times that `{ from = "22:00", to = "06:30", days = "mon-fri" }` gives. Raises ValueError."""
    example = '{ from = "22:00", to = "06:30", days = "mon-fri" }'
    if not isinstance(value, Mapping) or not {"from", "to"} <= value.keys() <= {"from", "to", "days"}:
        raise ValueError(f"write hours as {example}")
    times = [CLOCK_TIME.fullmatch(str(value[key]).strip()) for key in ("from", "to")]
    if None in times:
        raise ValueError(f"hours are written as 06:30 or 22:00, for example {example}")
    start, end = (day_time(int(found[1]), int(found[2])) for found in times if found)
    if start == end:
        raise ValueError("from and to are the same time; leave quiet out, or give hours")
    return WeeklyPeriod(start, end, parse_days(value.get("days", "")), zone)


def parse_days(value: object) -> frozenset[int]:
    """Return the weekdays (0 is Monday) of `mon-fri`, `sat,sun` or a list of them; every day if empty.

    `monday` is the same as `mon`. Raises ValueError.
    """
    words = value if isinstance(value, list) else str(value).split(",")
    days: set[int] = set()
    for word in (str(one).strip().lower() for one in words):
        first, _, last = map(_short, word.partition("-"))
        if not word:
            continue
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            meant = MEANT_DAYS.get(word)
            advice = f'did you mean "{meant}"?' if meant else 'write for example "mon-fri" or "sat,sun"'
            raise ValueError(f"{word!r} is not a weekday; {advice}")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days |= {number % 7 for number in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(days) or EVERY_DAY


def _short(day: str) -> str:
    day = day.strip()
    return WEEKDAYS[FULL_WEEKDAYS.index(day)] if day in FULL_WEEKDAYS else day


def _check_duration(text: str) -> str:
    parse_duration(text)
    return text


def _check_interval(text: str) -> str:
    if parse_duration(text) < SHORTEST_INTERVAL:
        raise ValueError(f'{text!r} is less than a minute; people are reminded at intervals such as "30m" or "4h"')
    return text


def _check_weekly(value: Any) -> Any:
    parse_weekly(value, UTC)
    return value


def _check_mention(text: str) -> str:
    parse_mention(text)
    return text


Duration = Annotated[str, AfterValidator(_check_duration), Field(examples=["30m", "4h"])]
Interval = Annotated[str, AfterValidator(_check_interval), Field(examples=["30m", "4h"])]
Weekly = Annotated[dict[str, Any], BeforeValidator(_check_weekly)]
MentionText = Annotated[str, AfterValidator(_check_mention)]


def with_shared_keys(value: object, shared: Mapping[str, Any]) -> object:
    """Return the value of `notify` with the rule's own keys for each destination that does not give them itself."""
    if not shared or value is False:
        return value
    if isinstance(value, list):
        return [with_shared_keys(one, shared) for one in value]
    if isinstance(value, Mapping):
        return {**shared, **value}
    return dict(shared) if value is True else {"to": value, **shared}


def without_effect(rule: Mapping[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of the keys in a rule's table that have no effect because of `each = true`.

    A destination may differ from its rule, so one with `each` may be in a rule with `repeat`.
    """
    each, notify = rule.get("each"), rule.get("notify")
    places = [((number,), one) for number, one in enumerate(notify)] if isinstance(notify, list) else [((), notify)]
    tables = [(path, one if isinstance(one, Mapping) else {}) for path, one in places]
    if each is True and any(table.get("each", each) is True for _, table in tables):
        yield from ((key,) for key in SHARED_KEYS if key in ABOUT_PROBLEMS and key in rule)
    for path, table in tables:
        if table.get("each", each) is True:
            yield from (("notify", *path, key) for key in ABOUT_PROBLEMS if key in table)
