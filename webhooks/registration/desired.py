"""The event types that Tableau has to send, so that every rule and handler receives its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from webhooks.event_types import EVENT_TYPES
from webhooks.rules.conditions import SITE, EventFilter, matches


def desired_event_types(filters: Iterable[EventFilter], *, site: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the event types that at least one of `filters` selects, sorted, each once.

    Patterns (`*RefreshFailed`) select from the known event types. A type that is written in full is desired even if it
    is unknown: Tableau's list grows, and Tableau rejects what it does not support.

    `site` is the name and the LUID of a site; filters whose condition on the site excludes both are ignored. Without
    it, all filters count.
    """
    known = {name.casefold() for name in EVENT_TYPES}
    desired: set[str] = set()
    for event_filter in filters:
        if site and not matches(event_filter.where.payload.get(SITE, ()), site):
            continue
        desired |= {name for name in EVENT_TYPES if matches(event_filter.on, [name])}
        desired |= {
            pattern
            for pattern in event_filter.on
            if not pattern.startswith("!") and not {"*", "?"} & set(pattern) and pattern.casefold() not in known
        }
    return tuple(sorted(desired))
