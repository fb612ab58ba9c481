"""Compare values with the patterns of a condition, and give the reason in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from webhooks.event import Event, happened_at
from webhooks.patterns import MAX_COMPARED, Patterns, divide, matches
from webhooks.rules.mistakes import NONE
from webhooks.rules.times import TIME_FIELDS, matches_time, time_text
from webhooks.text import cut, value_text

# This one also matches the site's name in sites.toml. If it is not yet known which site has the LUID, the job compares.
SITE = "site_luid"
# The values of an event that are not fields of its payload.
CONTENT_TYPE = "content_type"
FAILURES = "failures"
# Characters of a value in a reason.
MAX_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Match:
    """The result of a comparison, and the reason in words.

    `deferred` are the conditions that the job has to check before its handler runs, as `NewJob.where` has them.
    """

    matched: bool
    reason: str
    deferred: Mapping[str, Any] = field(default_factory=dict)


def match_values(
    name: str, patterns: Patterns, values: Sequence[object], *, shown: str = "", known_empty: bool = False
) -> Match:
    """Return whether the values of a field match, with a reason that names both.

    The reason is `project Finance ~ Finance*` or `project is Sales, not Finance*`; `shown` replaces the values in it.
    Without a value, only the pattern `(none)` matches: a pattern that excludes needs a value to hold, unless the list
    of values is `known_empty`, as that of tags is.
    """
    known = [value_text(value, MAX_COMPARED) for value in values if value is not None and value != ""]
    included, excluded = divide(patterns)
    shown = cut(shown or ", ".join(known) or ("none" if known_empty else "unknown"), MAX_SHOWN)
    if known:
        matched = matches(patterns, known)
    else:
        matched = NONE not in excluded and (NONE in included or (known_empty and not included))
    if matched:
        return Match(matched=True, reason=f"{name} {shown} ~ {describe_patterns(patterns)}")
    if included and not matches(included, known):
        return Match(matched=False, reason=f"{name} is {shown}, not {describe_patterns(included)}")
    excluding = [f"!{pattern}" for pattern in excluded if matches((pattern,), known) or (not known and pattern == NONE)]
    if not excluding:
        hint = f'without a value, {describe_patterns(patterns)} does not hold; "{NONE}" would match'
        return Match(matched=False, reason=f"{name} is {shown}: {hint}")
    return Match(matched=False, reason=f"{name} is {shown}, excluded by {' and '.join(excluding)}")


def match_payload(name: str, event: Event, patterns: Patterns, zone: tzinfo = UTC) -> Match:
    """Return whether a value of the event itself matches.

    A site matches by its name or its LUID; times are in `zone`.
    """
    if name == CONTENT_TYPE:
        return match_values(name, patterns, [event.content_kind])
    if name in TIME_FIELDS:
        at = happened_at(event)
        if at is None:
            return Match(matched=False, reason=f"{name} is unknown: the event has no time")
        local = at.astimezone(zone)
        matched, sign = matches_time(name, patterns, local), "~"
        sign = "~" if matched else "is not"
        return Match(matched=matched, reason=f"{name} {time_text(name, local)} {sign} {describe_patterns(patterns)}")
    if name != SITE or not event.site:
        return match_values(name, patterns, [getattr(event, name)])
    return match_values("site", patterns, [event.site, event.site_luid], shown=event.site)


def match_count(name: str, patterns: Patterns, number: int | None) -> Match:
    """Return whether a number matches: a pattern such as `3+` is that many or more, `3` exactly, `1-2` a range."""
    if number is None:
        return match_values(name, patterns, [], shown="none")
    included, excluded = divide(patterns)
    matched = (not included or any(_counts(one, number) for one in included)) and not any(
        _counts(one, number) for one in excluded
    )
    described = describe_patterns(patterns)
    return Match(matched, f"{name} {number} ~ {described}" if matched else f"{name} is {number}, not {described}")


def check_count(pattern: str) -> None:
    """Raise ValueError, with what would be right, if a pattern of a number is invalid."""
    first, last = _bounds(pattern.removeprefix("!"))
    if not 1 <= first <= last:
        raise ValueError(f'{pattern!r} is not a number; write 3 (three or more), "3" (exactly) or "1-2"')


def describe_patterns(patterns: Patterns) -> str:
    """Return the patterns in words, such as `*Created, not Site* nor View*`."""
    included, excluded = divide(patterns)
    parts = [" or ".join(included), f"not {' nor '.join(excluded)}" if excluded else ""]
    return ", ".join(part for part in parts if part)


def needs(where: Mapping[str, Any], name: str) -> bool:
    """Return whether deferred conditions compare this field, also in alternatives and for rules that go before."""
    alternatives = [*where.get("any", ()), *(entry["where"] for entry in where.get("unless", ()))]
    return name in where or any(needs(one, name) for one in alternatives)


def describe_where(where: Mapping[str, Any]) -> str:
    """Return deferred conditions in words, such as `project ~ Finance* and tags ~ gold`."""
    parts = [
        " or ".join(map(describe_where, patterns))
        if name == "any"
        else f"{name} ~ {describe_patterns(tuple(patterns))}"
        for name, patterns in where.items()
        if name != "unless"
    ]
    return " and ".join(parts)


def _counts(pattern: str, number: int) -> bool:
    first, last = _bounds(pattern)
    return first <= number <= last


def _bounds(pattern: str) -> tuple[int, float]:
    text = pattern.strip()
    if text.endswith("+") and text[:-1].isdecimal():
        return int(text[:-1]), float("inf")
    first, dash, last = text.partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        return 0, 0
    return int(first), int(last) if dash else int(first)
