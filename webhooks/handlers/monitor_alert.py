"""The monitor_alert action: tells people what the watch has found."""

from __future__ import annotations

from notifiers import Message
from webhooks.context import Context
from webhooks.destinations import Destination
from webhooks.registry import Params, action


class MonitorAlertParams(Params):
    """Who is told."""

    to: Destination


@action("monitor_alert", params=MonitorAlertParams, in_rules=False)
def monitor_alert(context: Context, params: MonitorAlertParams) -> None:
    """One message; the event holds the words."""
    event = context.event
    text = str(event.payload.get("text", ""))
    footer = f"Found by the watch · event {event.id} · {event.event_type}"
    context.notify(params.to, Message(str(event.resource_name), text, severity="warning", footer=footer), key=params.to)
