"""Alerts in PagerDuty: one for each incident, which is triggered, acknowledged and resolved as the incident is.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.limits import Limit, Operation
from notifiers.message import Message, Posted, Receipt
from notifiers.named import parse_name
from notifiers.notifier import Capabilities, Notifier
from notifiers.pagerduty.config import PagerDutyConfig
from notifiers.pagerduty.render import render
from notifiers.responses import refusal

if TYPE_CHECKING:
    from notifiers.transport import Transport

EventAction = Literal["trigger", "acknowledge", "resolve"]
ACTIONS: dict[str, EventAction] = {"open": "trigger", "acknowledged": "acknowledge", "closed": "resolve"}
# Events that one integration key accepts a minute.
EVENTS_A_MINUTE = 120


class PagerDutyNotifier(Notifier):
    """Triggers alerts in the services of PAGERDUTY_KEYS.

    Events with a `dedup_key` may be repeated, so the errors of messages about incidents are never uncertain.
    """

    kind: ClassVar[str] = "pagerduty"
    label: ClassVar[str] = "PagerDuty"
    config_class: ClassVar[type[Config]] = PagerDutyConfig
    capabilities: ClassVar[Capabilities] = Capabilities(edit=True, actions=True)
    example: ClassVar[str] = "pagerduty:data"

    config: PagerDutyConfig

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the name of a service. Raises ValueError for a text that cannot be one."""
        return parse_name("pagerduty", "PAGERDUTY_KEYS", text)

    def deliver(self, message: Message, address: str) -> Receipt:
        """Trigger an alert; for an incident that is not open any more, bring the alert to its state as well."""
        key = dedup_key(message)
        self._send("trigger", message, address, key)
        if message.incident and message.incident.state != "open":
            self._send(ACTIONS[message.incident.state], message, address, key)
        return Receipt(address or "default", key)

    def edit(self, posted: Posted, message: Message) -> Posted:
        """Bring the alert to the state of the incident: triggered again, acknowledged or resolved."""
        address = "" if posted.channel == "default" else posted.channel
        state = message.incident.state if message.incident else "open"
        try:
            self._send(ACTIONS[state], message, address, posted.id)
        except NotifierError as error:
            error.prefix(f"Could not update the alert in pagerduty:{posted.channel}. ")
            raise
        return posted

    def check(self) -> str:
        """Return the names of the services. PagerDuty is not asked, because a key can only send events."""
        self.require_configured()
        try:
            entries = self.config.entries()
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        names = ", ".join(one.name or f"number {one.position}" for one in entries)
        return f"PagerDuty: {names}; not asked, because a key can only send events"

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - all are events
        """Return the limit of events for one integration key."""
        return (Limit(f"pagerduty {to or ''}", EVENTS_A_MINUTE, 60.0),)

    @cached_property
    def _transport(self) -> Transport:
        from notifiers.transport import Transport  # noqa: PLC0415 - commands that send nothing start without HTTP

        return Transport("PagerDuty", secrets=self.config.secrets(), ca_bundle=self.ca_bundle)

    def _send(self, action: EventAction, message: Message, address: str, key: str) -> None:
        from notifiers.transport import Request  # noqa: PLC0415 - as above

        body = render(message, action, routing_key=self.config.entry(address).value, dedup_key=key)
        url = f"{self.config.api_url.rstrip('/')}/v2/enqueue"
        try:
            response = self._transport.send(Request("POST", url, {"Content-Type": "application/json"}, body))
            if response.status != 202:
                raise refusal("PagerDuty", response.status, response.headers, self.clock(), _reason(response.json()))
        except NotifierError as error:
            error.uncertain = error.uncertain and not key
            raise


def dedup_key(message: Message) -> str:
    """Return the key of the alert: the same for all messages about an incident; empty for a message without an id."""
    name = f"incident {message.incident.key}" if message.incident else message.id and f"message {message.id}"
    return f"tableau-webhooks-{hashlib.sha256(name.encode()).hexdigest()[:40]}" if name else ""


def _reason(body: dict[str, Any]) -> str:
    errors = body.get("errors")
    listed = errors if isinstance(errors, list) else []
    return "; ".join(filter(None, [str(body.get("message") or ""), *map(str, listed)]))
