"""Reports of PagerDuty on what people do there: verify the signature of a request and read its event. Pure.

https://developer.pagerduty.com/docs/verifying-signatures
https://developer.pagerduty.com/docs/webhooks-overview
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from notifiers.text import one_line, shorten

PATH = "/pagerduty/events"
# The alerts that this server opens; see `dedup_key`.
ALERT = re.compile(r"tableau-webhooks-[0-9a-f]{40}", re.ASCII)
EVENT_ID = re.compile(r"[0-9A-Za-z_-]{1,100}", re.ASCII)
ACKNOWLEDGED, RESOLVED = "incident.acknowledged", "incident.resolved"
# PagerDuty repeats a request for twenty minutes, and those behind it wait:
# https://developer.pagerduty.com/docs/webhooks-behavior
OLDEST = timedelta(hours=1)
# Characters of a person's name.
MAX_NAME = 80


class InvalidReport(ValueError):
    """The request is signed, but it is not an event as PagerDuty documents them."""


@dataclass(frozen=True)
class AlertReport:
    """Something that a person did about an alert of this server.

    `key` identifies the report, also if PagerDuty sends it again.
    """

    key: str
    event_type: str
    alert: str
    person: str
    occurred_at: datetime


def is_signed(secrets: Iterable[str], body: bytes, signatures: str | None) -> bool:
    """Return whether one of the signatures is that of these bytes with one of the secrets.

    There are several while a secret is replaced, and each subscription has its own.
    """
    given = [one.strip().encode() for one in (signatures or "").split(",")]
    expected = [b"v1=" + hmac.new(one.encode(), body, hashlib.sha256).hexdigest().encode() for one in secrets]
    return any(hmac.compare_digest(one, other) for one in given for other in expected)


def parse_report(body: bytes) -> AlertReport | None:
    """Return what the event reports; None if it is not something that a person did about one of our alerts.

    Raises InvalidReport. What this server, a rule or a timeout of PagerDuty did has no person.
    """
    try:
        event = json.loads(body)["event"]
        key, event_type, at = event["id"], event["event_type"], datetime.fromisoformat(event["occurred_at"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InvalidReport("The body is not an event of PagerDuty's webhooks, version 3.") from error
    if not isinstance(key, str) or not EVENT_ID.fullmatch(key) or not isinstance(event_type, str):
        raise InvalidReport("The event has no valid id and type.")
    agent, data = _object(event.get("agent")), _object(event.get("data"))
    alert = str(data.get("incident_key") or "")
    if (
        event_type not in {ACKNOWLEDGED, RESOLVED}
        or agent.get("type") != "user_reference"
        or not ALERT.fullmatch(alert)
    ):
        return None
    person = shorten(one_line(str(agent.get("summary") or agent.get("id") or "")), MAX_NAME) or "a person"
    return AlertReport(key, event_type, alert, person, at if at.tzinfo else at.replace(tzinfo=UTC))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
