"""Alerts in PagerDuty: one for each incident, which is triggered, acknowledged and resolved as the incident is.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.limits import Limit, Operation
from notifiers.message import Message, Posted, Receipt
from notifiers.named_notifier import NamedNotifier, address_of, receipt_of
from notifiers.notifier import Capabilities
from notifiers.pagerduty.config import PagerDutyConfig
from notifiers.pagerduty.render import render
from notifiers.responses import refusal

EventAction = Literal["trigger", "acknowledge", "resolve"]
ACTIONS: dict[str, EventAction] = {"open": "trigger", "acknowledged": "acknowledge", "closed": "resolve"}
# Events that one integration key accepts a minute.
EVENTS_A_MINUTE = 120


class PagerDutyNotifier(NamedNotifier):
    """Triggers alerts in the services of PAGERDUTY_KEYS.

    Events with a `dedup_key` may be repeated, so the errors of messages about incidents are never uncertain.
    """

    kind: ClassVar[str] = "pagerduty"
    label: ClassVar[str] = "PagerDuty"
    config_class: ClassVar[type[Config]] = PagerDutyConfig
    capabilities: ClassVar[Capabilities] = Capabilities(edit=True, actions=True)
    example: ClassVar[str] = "pagerduty:data"
    service: ClassVar[str] = "PagerDuty"
    not_asked: ClassVar[str] = "a key can only send events"

    config: PagerDutyConfig

    def deliver(self, message: Message, address: str) -> Receipt:
        """Trigger an alert; for an incident that is not open any more, bring the alert to its state as well."""
        key = dedup_key(message)
        self._send("trigger", message, address, key)
        if message.incident and message.incident.state != "open":
            self._send(ACTIONS[message.incident.state], message, address, key)
        return receipt_of(address, key)

    def edit(self, posted: Posted, message: Message) -> Posted:
        """Bring the alert to the state of the incident: triggered again, acknowledged or resolved."""
        address = address_of(posted.channel)
        state = message.incident.state if message.incident else "open"
        try:
            self._send(ACTIONS[state], message, address, posted.id)
        except NotifierError as error:
            error.prefix(f"Could not update the alert in pagerduty:{posted.channel}. ")
            raise
        return posted

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - all are events
        """Return the limit of events for one integration key."""
        return (Limit(f"pagerduty {to or ''}", EVENTS_A_MINUTE, 60.0),)

    def _send(self, action: EventAction, message: Message, address: str, key: str) -> None:
        body = render(message, action, routing_key=self.config.entry(address).value, dedup_key=key)
        url = f"{self.config.api_url.rstrip('/')}/v2/enqueue"
        try:
            response = self.post_json(url, body)
            if response.status != 202:
                said, listed = response.json(), response.json().get("errors")
                reasons = [said.get("message") or "", *(listed if isinstance(listed, list) else [])]
                reason = "; ".join(filter(None, map(str, reasons)))
                raise refusal("PagerDuty", response.status, response.headers, self.clock(), reason)
        except NotifierError as error:
            error.uncertain = error.uncertain and not key
            raise


def dedup_key(message: Message) -> str:
    """Return the key of the alert: the same for all messages about an incident; empty for a message without an id."""
    name = f"incident {message.incident.key}" if message.incident else message.id and f"message {message.id}"
    return f"tableau-webhooks-{hashlib.sha256(name.encode()).hexdigest()[:40]}" if name else ""
