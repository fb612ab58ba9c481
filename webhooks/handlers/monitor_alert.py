"""The monitor_alert action: keep the message about a problem of this server up to date at one destination."""

from __future__ import annotations

from webhooks.context import Context
from webhooks.destinations import Destination
from webhooks.event import MONITOR
from webhooks.handlers.notice import show_own_incident
from webhooks.messages.alert_message import alert_message
from webhooks.registry import Params, action


class MonitorAlertParams(Params):
    """The destination of the alert."""

    to: Destination


@action("monitor_alert", params=MonitorAlertParams, in_rules=False)
def monitor_alert(context: Context, params: MonitorAlertParams) -> None:
    """Show the incident that the event is evidence of; an event without one has a message of its own."""
    record = context.inbox.findings.incident_of(context.event.id or 0)
    if record is None:
        context.notify(params.to, alert_message(context.event), key=params.to)
        return
    show_own_incident(context, record, params.to, MONITOR)
