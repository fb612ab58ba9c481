"""The heartbeat action: call HEARTBEAT_URL, because an event has just gone the whole way."""

from __future__ import annotations

from datetime import timedelta

from notifiers import NotifierError
from webhooks.clock import parse_time
from webhooks.context import Context
from webhooks.errors import Skip
from webhooks.job import HEARTBEAT
from webhooks.registry import action

# An event that took longer says that something is stuck.
LATEST = timedelta(seconds=60)
# Seconds to connect, to read, and in all.
CONNECT, READ, TOTAL = 5.0, 10.0, 15.0


@action(HEARTBEAT, in_rules=False)
def heartbeat(context: Context) -> None:
    """Send a GET request. Raises Skip if the event is late, or if the request fails: the other side notices that.

    `webhooks.monitor.heartbeat` logs it once.
    """
    url = context.settings.heartbeat_url.get_secret_value()
    begun = parse_time(context.event.payload.get("text"))
    if not url or begun is None:
        raise Skip("HEARTBEAT_URL is not set")
    late = context.now() - begun
    if late > LATEST:
        raise Skip(f"too late: the event took {late.total_seconds():.0f} s")
    from notifiers.transport import Request, Timeouts, Transport  # noqa: PLC0415 - commands about rules send nothing

    transport = Transport("HEARTBEAT_URL", secrets=[url], ca_bundle=str(context.settings.ca_bundle or ""))
    try:
        response = transport.send(Request("GET", url), Timeouts(CONNECT, READ, TOTAL))
    except NotifierError as error:
        raise Skip(f"not sent: {error}") from error
    if not 200 <= response.status < 300:
        raise Skip(f"not sent: HEARTBEAT_URL responds with {response.status}")
