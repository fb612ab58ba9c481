"""Write the message about an event of the monitor that belongs to no incident. Pure."""

from __future__ import annotations

from notifiers import Message
from webhooks.event import Event


def alert_message(event: Event) -> Message:
    """Return the message; the monitor wrote its headline and text into the event."""
    footer = f"Monitor · event {event.id} · {event.event_type}"
    text = str(event.payload.get("text", ""))
    return Message(str(event.resource_name), text, severity=event.type.severity, footer=footer)
