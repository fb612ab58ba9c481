"""The event types that rules and handlers need: from webhooks, and from Tableau's job list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from webhooks.event_types import (
    EVENT_TYPES,
    JOB_LIST_EVENT_TYPES,
    MONITOR_EVENT_TYPES,
    RULE_EVENT_TYPES,
    WATCH_EVENT_TYPES,
)
from webhooks.patterns import matches
from webhooks.rules.conditions import EventFilter, select_type
from webhooks.rules.matching import SITE


def desired_event_types(filters: Iterable[EventFilter], *, site: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the event types with a webhook that at least one of `filters` selects, sorted, each once.

    Patterns (`*RefreshFailed`) select from the known event types. A type that is written in full is desired even if it
    is unknown: Tableau's list grows, and Tableau rejects what it does not support.

    `site` is the name and the LUID of a site; filters whose condition on the site excludes both are ignored. Without
    it, all filters count.
    """
    known = {name.casefold() for name in (*RULE_EVENT_TYPES, *MONITOR_EVENT_TYPES, *WATCH_EVENT_TYPES)}
    desired: set[str] = set()
    for event_filter in _filters_of(filters, site):
        desired |= {name for name in EVENT_TYPES if matches(event_filter.on, [name])}
        desired |= {
            pattern
            for pattern in event_filter.on
            if not pattern.startswith("!") and not {"*", "?"} & set(pattern) and pattern.casefold() not in known
        }
    return tuple(sorted(desired))


def desired_job_list_types(filters: Iterable[EventFilter], *, site: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the event types from Tableau's job list that at least one of `filters` selects, sorted, each once."""
    selecting = list(_filters_of(filters, site))
    return tuple(
        sorted(name for name in JOB_LIST_EVENT_TYPES if any(select_type(one.on, name).matched for one in selecting))
    )


def _filters_of(filters: Iterable[EventFilter], site: Sequence[str]) -> Iterator[EventFilter]:
    """Yield the filters that events of the site can pass."""
    for event_filter in filters:
        if not site or matches(event_filter.where.payload.get(SITE, ()), site):
            yield event_filter
