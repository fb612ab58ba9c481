"""Which event types Tableau has to send, so that every rule and handler gets its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from webhooks.event_types import EVENT_TYPES
from webhooks.rules.conditions import EventFilter, matches


def desired_event_types(filters: Iterable[EventFilter]) -> tuple[str, ...]:
    """The event types that fit one of `filters`, in alphabetical order, each once.

    Patterns (`*RefreshFailed`) take in the types known so far. A type that is written out is wanted even if it is
    unknown: Tableau's list grows, and Tableau itself says what it does not have.
    """
    found: set[str] = set()
    for event_filter in filters:
        found |= {name for name in EVENT_TYPES if matches(event_filter.on, [name])}
        found |= set(_unknown(event_filter))
    return tuple(sorted(found))


def _unknown(event_filter: EventFilter) -> Iterable[str]:
    known = {name.casefold() for name in EVENT_TYPES}
    for name in event_filter.on:
        if not name.startswith("!") and not {"*", "?"} & set(name) and name.casefold() not in known:
            yield name
