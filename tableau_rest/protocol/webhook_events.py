"""The two names Tableau has for an event of a webhook: its own, and an element of older servers."""

from __future__ import annotations

# Irregular by history; every other event's element is its name in kebab case.
_ODD_SOURCES = {
    "AdminPromoted": "webhook-event-user-promoted-admin",
    "AdminDemoted": "webhook-event-user-demoted-admin",
}
_ODD_EVENTS = {source: event for event, source in _ODD_SOURCES.items()}
_PREFIX = "webhook-source-event-"


def source_of(event: str) -> str:
    """The element servers before 2020.3 know an event by: LabelDeleted is webhook-source-event-label-deleted."""
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in event)
    return _ODD_SOURCES.get(event) or _PREFIX + words.lstrip("-")


def event_of(source: str) -> str:
    """The event an element of `webhook-source` stands for."""
    words = source.removeprefix(_PREFIX).split("-")
    return _ODD_EVENTS.get(source) or "".join(word[:1].upper() + word[1:] for word in words)
