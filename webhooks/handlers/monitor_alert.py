"""The monitor_alert action: send what the monitor found."""

from __future__ import annotations

from notifiers import Message
from webhooks.context import Context
from webhooks.destinations import Destination
from webhooks.registry import Params, action


class MonitorAlertParams(Params):
    """The destination of the alert."""

    to: Destination


@action("monitor_alert", params=MonitorAlertParams, in_rules=False)
def monitor_alert(context: Context, params: MonitorAlertParams) -> None:
    """Send one message; the monitor wrote its headline and text into the event."""
    event = context.event
    text = str(event.payload.get("text", ""))
    footer = f"Monitor · event {event.id} · {event.event_type}"
    message = Message(str(event.resource_name), text, severity=event.type.severity, footer=footer)
    context.notify(params.to, message, key=params.to)
