"""The monitor's alerts: events of its own, stored and planned like all others, one for each change."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhooks.event import MONITOR, build
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alert:
    """A finding that people need to know, and what to do; `event_type` is one of the monitor's own event types."""

    event_type: str
    title: str
    text: str


class Alerts:
    """Raise alerts about one site (or about the server itself) and remember what was raised.

    `site` is the site's name, empty if there is only one; `key` is appended to the names of what is remembered, so that
    each site has a memory of its own.
    """

    def __init__(self, inbox: Inbox, *, site: str = "", key: str = "") -> None:
        self.inbox, self.site, self._key = inbox, site, key

    def send(self, alert: Alert, now: datetime) -> None:
        """Store the alert as an event; the worker plans and retries it like any other."""
        text = self.inbox.store.redact(f"Site {self.site}: {alert.text}" if self.site else alert.text)
        log.warning("%s: %s: %s", alert.event_type, alert.title, text)
        event = build(
            alert.event_type,
            origin=MONITOR,
            resource="WEBHOOK",
            resource_name=alert.title,
            # Two alerts of the same second must have different fingerprints.
            resource_luid=f"monitor-{now.timestamp():.6f}",
            created_at=f"{now:%Y-%m-%dT%H:%M:%S}Z",
            text=text,
        )
        self.inbox.synthetic_events.add(event, MONITOR, now)

    def send_on_change(self, alert: Alert, state: str, now: datetime) -> None:
        """Send the alert unless the last one of its type was sent in the same `state`.

        The alert is stored before the state: a crash in between repeats the alert instead of losing it.
        """
        if state != self.recall(alert.event_type):
            self.send(alert, now)
            self.remember(alert.event_type, state)

    def clear(self, event_type: str) -> None:
        """Remember that all is well, so that the next alert of this type is sent; this sends nothing."""
        if self.recall(event_type) is not None:
            self.remember(event_type, None)

    def recall(self, name: str) -> Any:
        """Return the remembered JSON value, or None."""
        return self.inbox.state.get(name + self._key)

    def remember(self, name: str, value: Any) -> None:
        """Remember a JSON value in the inbox, for all processes and starts."""
        self.inbox.state.set(name + self._key, value)
