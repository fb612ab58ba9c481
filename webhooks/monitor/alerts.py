"""The monitor's alerts: each is an event of its own, and evidence of an incident, which has one message."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from webhooks.event import MONITOR, build
from webhooks.event_types import (
    CERTIFICATE_EXPIRING,
    CREDENTIAL_EXPIRING,
    DOWNTIME_ENDED,
    JOB_LIST_CHECK_FAILED,
    NO_EVENTS_RECEIVED,
    SLACK_DISCONNECTED,
    WEBHOOK_CHECK_FAILED,
    WEBHOOKS_DRIFTED,
)
from webhooks.inbox import Inbox
from webhooks.incidents import Finding
from webhooks.incidents.incident import IncidentKind
from webhooks.observability.logs import log_ids

log = logging.getLogger(__name__)

# The closing of an incident is later than what opened it, also in the same run of a check.
MOMENT = timedelta(milliseconds=1)


class Subject(NamedTuple):
    """The subject of an alert: the kind of its incident, and the name that identifies it within the kind."""

    kind: IncidentKind
    name: str


BLIND = Subject("blind", "site")
WEBHOOKS, EVENTS = Subject("webhook", "webhooks"), Subject("webhook", "events")
SLACK = Subject("webhook", "slack")
CERTIFICATE, CREDENTIAL = Subject("certificate", "certificate"), Subject("credential", "credential")
SUBJECTS: Mapping[str, Subject] = {
    WEBHOOKS_DRIFTED: WEBHOOKS,
    NO_EVENTS_RECEIVED: EVENTS,
    WEBHOOK_CHECK_FAILED: BLIND,
    JOB_LIST_CHECK_FAILED: BLIND,
    DOWNTIME_ENDED: BLIND,
    CERTIFICATE_EXPIRING: CERTIFICATE,
    CREDENTIAL_EXPIRING: CREDENTIAL,
    SLACK_DISCONNECTED: SLACK,
}


@dataclass(frozen=True, slots=True)
class Alert:
    """A finding that people need to know, and what to do; `event_type` is one of the monitor's own event types.

    `subject` is what it is about, if not that of its event type, and `since` when the problem began, if that is known.
    A higher `level` than before alerts people again; a lower one only changes the message.
    """

    event_type: str
    title: str
    text: str
    subject: Subject | None = None
    since: datetime | None = None
    level: int = 0


class Alerts:
    """Raise alerts about one site (or about the server itself) and remember what was raised.

    `site` is the site's name, empty if there is only one; `key` is appended to the names of what is remembered, so that
    each site has a memory of its own.
    """

    def __init__(self, inbox: Inbox, *, site: str = "", key: str = "") -> None:
        self.inbox, self.site, self.key = inbox, site, key

    def send(self, alert: Alert, now: datetime) -> None:
        """Store the alert as an event and as evidence of its incident; the worker plans and retries its jobs."""
        text = self.inbox.store.redact(f"Site {self.site}: {alert.text}" if self.site else alert.text)
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
        kind, name = alert.subject or SUBJECTS[alert.event_type]
        last = self.inbox.findings.last(kind, name + self.key)
        # An incident that is open began earlier; one that has closed did not.
        since = now if alert.since is None or (last and last.problem) else alert.since
        finding = Finding.of_check(
            name + self.key,
            max(since, last.at) if last else since,
            problem=True,
            name=alert.title,
            reason=text,
            key=f"{now.timestamp():.6f} {alert.event_type}",
            level=alert.level,
        )
        receipt = self.inbox.findings.record(kind, finding, event)
        with log_ids(event=receipt.id if receipt else None):
            log.warning("%s: %s: %s", alert.event_type, alert.title, text)

    def send_on_change(self, alert: Alert, state: str, now: datetime) -> None:
        """Send the alert unless the last one of its type was sent in the same `state`.

        The alert is stored before the state: a crash in between repeats the alert instead of losing it.
        """
        if state != self.recall(alert.event_type):
            self.send(alert, now)
            self.remember(alert.event_type, state)

    def forget(self, event_type: str) -> None:
        """Remember that nothing was raised, so that the next alert of this type is sent."""
        if self.recall(event_type) is not None:
            self.remember(event_type, None)

    def is_open(self, subject: Subject) -> bool:
        """Return whether an incident about this is open."""
        return self.inbox.findings.open_since(subject.kind, subject.name + self.key) is not None

    def close(self, subject: Subject, now: datetime, text: str) -> None:
        """Close the incident if it is open; `text` says in a few words why the problem no longer exists."""
        if not self.is_open(subject):
            return
        last = self.inbox.findings.last(subject.kind, subject.name + self.key)
        at = max(now, last.at + MOMENT) if last else now
        key = f"{now.timestamp():.6f} closed"
        finding = Finding.of_check(subject.name + self.key, at, problem=False, reason=text, key=key)
        self.inbox.findings.record(subject.kind, finding)
        closed = self.inbox.findings.newest(subject.kind, subject.name + self.key)
        with log_ids(event=closed.event_id if closed else None, incident=closed.id if closed else None):
            log.info("Problem solved: kind=%s subject=%s: %s", subject.kind, subject.name + self.key, text)

    def recall(self, name: str) -> Any:
        """Return the remembered JSON value, or None."""
        return self.inbox.state.get(name + self.key)

    def remember(self, name: str, value: Any) -> None:
        """Remember a JSON value in the inbox, for all processes and starts."""
        self.inbox.state.set(name + self.key, value)
