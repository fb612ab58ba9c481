"""Parameters about the future and the author: `--for 2h`, `--until 12:00`, `--by NAME`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeVar

import click

from webhooks.cli.support import application
from webhooks.cli.support.options import DURATION, UNITS
from webhooks.clock import parse_time

F = TypeVar("F", bound=Callable[..., Any])

CLOCK_TIME = re.compile(r"(?:(tomorrow)\s+)?([01]?\d|2[0-3]):([0-5]\d)")
LONGEST = timedelta(days=400)

for_option = click.option("--for", "length", metavar="DURATION", help="Length: 30m, 2h, 1d12h.")
until_option = click.option(
    "--until", metavar="TIME", help='End in TIMEZONE: 12:00, "tomorrow 08:00", 2026-01-31T09:30.'
)
by_option = click.option("--by", metavar="NAME", help="Your name. Default: the user of the operating system.")


def author(given: str | None) -> str:
    """Return the name under which something is done: the given one, or that of the operating system's user."""
    if given is not None:
        if not given.strip():
            raise click.BadParameter("The name is empty.", param_hint="--by")
        return given.strip()
    if not (name := application.user()):
        raise click.UsageError("The user of the operating system has no name. Use --by NAME.")
    return name


def end_of(length: str | None, until: str | None, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the end that `--for` or `--until` gives, None if neither is given. Raise UsageError."""
    if length is not None and until is not None:
        raise click.UsageError("Give --for or --until, not both.")
    if length is not None:
        return now + parse_length(length)
    return None if until is None else parse_future(until, now, zone)


def parse_length(text: str, option: str = "--for") -> timedelta:
    """Return the duration of a text such as `2h` or `1d12h`. Raise BadParameter."""
    length = timedelta()
    if DURATION.fullmatch(text.strip().lower()):
        parts = re.findall(r"(\d+)([smhdw])", text.lower())
        length = min(sum((_part(int(number), unit) for number, unit in parts), timedelta()), 2 * LONGEST)
    if not timedelta() < length <= LONGEST:
        raise click.BadParameter(
            f"{text!r} is not a duration up to {LONGEST.days} days; write for example 30m, 2h or 1d12h.",
            param_hint=option,
        )
    return length


def parse_future(text: str, now: datetime, zone: tzinfo, option: str = "--until") -> datetime:
    """Return the time that a text gives in `zone`: the next 12:00, `tomorrow 08:00`, an ISO time.

    Raise BadParameter.
    """
    given = text.strip()
    if found := CLOCK_TIME.fullmatch(given.lower()):
        today = now.astimezone(zone).replace(hour=int(found[2]), minute=int(found[3]), second=0, microsecond=0)
        at = today + timedelta(days=1) if found[1] or today <= now else today
    else:
        parsed = parse_local(given, zone)
        if parsed is None:
            examples = '12:00, "tomorrow 08:00" or 2026-01-31T09:30'
            raise click.BadParameter(f"{text!r} is not a time; write for example {examples}.", param_hint=option)
        at = parsed
    if not now < at <= now + LONGEST:
        past = "in the past" if at <= now else f"more than {LONGEST.days} days away"
        raise click.BadParameter(f"{text!r} is {past}.", param_hint=option)
    return at


def parse_local(text: str, zone: tzinfo) -> datetime | None:
    """Return the time of an ISO text, in `zone` if it names no other zone; None if it is none."""
    try:
        naive = datetime.fromisoformat(text)
    except ValueError:
        return None
    return naive.replace(tzinfo=zone) if naive.tzinfo is None else parse_time(text)


def _part(number: int, unit: str) -> timedelta:
    try:
        return min(timedelta(**{UNITS[unit]: number}), 2 * LONGEST)
    except OverflowError:
        return 2 * LONGEST
