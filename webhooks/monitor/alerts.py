"""The monitor's alerts: events of its own, stored and planned like all others, one for each change."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from webhooks.event import MONITOR, Event, build
from webhooks.event_types import (
    CERTIFICATE_EXPIRING,
    CREDENTIAL_EXPIRING,
    NO_EVENTS_RECEIVED,
    WEBHOOK_CHECK_FAILED,
    WEBHOOKS_DRIFTED,
)
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

TITLES = {
    WEBHOOKS_DRIFTED: "The webhooks in Tableau differ from the configuration",
    CERTIFICATE_EXPIRING: "The certificate of the webhook URL needs attention",
    NO_EVENTS_RECEIVED: "No events received for an unusually long time",
    WEBHOOK_CHECK_FAILED: "The webhooks in Tableau cannot be checked",
    CREDENTIAL_EXPIRING: "The credential for Tableau needs attention",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people need to know; `kind` is the event type, `text` says what happened and what to do."""

    kind: str
    text: str

    def event(self, now: datetime) -> Event:
        """Return the event that announces the alert."""
        # Two alerts of the same second must have different fingerprints, so the LUID holds microseconds.
        return build(
            self.kind,
            origin=MONITOR,
            resource="WEBHOOK",
            resource_name=TITLES[self.kind],
            resource_luid=f"monitor-{now.timestamp():.6f}",
            created_at=f"{now:%Y-%m-%dT%H:%M:%S}Z",
            text=self.text,
        )


def raise_alert(inbox: Inbox, alert: Alert, now: datetime) -> None:
    """Store the alert as an event; the worker plans and retries it like any other."""
    log.warning("%s: %s", alert.kind, alert.text)
    inbox.synthetic_events.add(alert.event(now), MONITOR, now)


def alert_on_change(inbox: Inbox, kind: str, found: str | None, now: datetime, text: str, *, key: str = "") -> None:
    """Raise an alert if `found` differs from the last check and is not None (None means that all is well).

    `key` is appended to the kind in the stored state, so that each site has a state of its own. The alert is stored
    before the state: a crash in between repeats the alert instead of losing it.
    """
    if found == inbox.state.get(kind + key):
        return
    if found is not None:
        raise_alert(inbox, Alert(kind, text), now)
    inbox.state.set(kind + key, found)


def prefix_site(site: str, text: str) -> str:
    """Return the text, preceded by the site's name if there is one."""
    return f"Site {site}: {text}" if site else text
