"""The two names of a webhook's event: `WorkbookCreated`, and the element by which servers before 2020.3 know it."""

from __future__ import annotations

# Irregular; every other element is the event's name in kebab case behind a prefix.
_IRREGULAR_SOURCES = {
    "AdminPromoted": "webhook-event-user-promoted-admin",
    "AdminDemoted": "webhook-event-user-demoted-admin",
}
_IRREGULAR_EVENTS = {source: event for event, source in _IRREGULAR_SOURCES.items()}
_PREFIX = "webhook-source-event-"


def source_of(event: str) -> str:
    """Return the element of an event: LabelDeleted is `webhook-source-event-label-deleted`."""
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in event)
    return _IRREGULAR_SOURCES.get(event) or _PREFIX + words.lstrip("-")


def event_of(source: str) -> str:
    """Return the event of an element of `webhook-source`."""
    words = source.removeprefix(_PREFIX).split("-")
    return _IRREGULAR_EVENTS.get(source) or "".join(word[:1].upper() + word[1:] for word in words)
