"""People who act in PagerDuty: a signed request to the server, as PagerDuty's webhooks of version 3 report it.

https://developer.pagerduty.com/docs/webhooks-overview
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import requests

from simulator.receivers.state import Alert
from simulator.world.world import World

# Seconds that PagerDuty waits for a response.
TIMEOUT = 5.0
STATUSES = {"acknowledge": "acknowledged", "resolve": "resolved"}


@dataclass(frozen=True)
class Reported:
    """The result of a report; `status` is None without a response, and `error` is "" after a status of success."""

    alert: str
    url: str
    status: int | None
    error: str
    milliseconds: float


def act(world: World, wanted: str, action: str, person: str) -> Reported:
    """Let a person acknowledge or resolve an alert, by its key or summary; without one the newest. Raises ValueError.

    Do not hold the world's lock: the server may call back.
    """
    if action not in STATUSES:
        raise ValueError(f"act is {action!r}. Choose one of: {', '.join(STATUSES)}")
    with world.lock:
        alerts = [one for one in world.taking.alerts if one.status != "resolved"]
        alert = next((one for one in reversed(alerts) if wanted in ("", one.key, one.summary)), None)
        if alert is None:
            known = ", ".join(one.summary for one in alerts) or "none"
            raise ValueError(f"No alert {wanted!r} that is not resolved. Alerts: {known}")
        alert.status = STATUSES[action]
        body = json.dumps(webhook(alert, person, world.now().isoformat(timespec="milliseconds"))).encode()
        url, secret = world.config.pagerduty_events_url, world.config.pagerduty_webhook_secret
        world.changed()
    headers = {"X-PagerDuty-Signature": f"v1={sign(body, secret)}", "X-Webhook-Id": str(uuid.uuid4())}
    began, status, error = time.monotonic(), None, ""
    try:
        with requests.Session() as session:
            session.trust_env = False
            headers |= {"Content-Type": "application/json", "User-Agent": "PagerDuty-Webhook/V3.0"}
            status = session.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False).status_code
        if status // 100 != 2:
            error = f"The server responded with {status} at {url}"
    except requests.RequestException as failure:
        error = f"The server cannot be reached at {url}: {type(failure).__name__}"
    return Reported(alert.key, url, status, error, round((time.monotonic() - began) * 1000, 1))


def webhook(alert: Alert, person: str, at: str) -> dict[str, Any]:
    """Return the body of the request about what a person did."""
    user = {"type": "user_reference", "id": "PLH1HKV", "summary": person}
    service = {"type": "service_reference", "id": "PF9KMXH", "summary": alert.service}
    data = {"type": "incident", "id": "PGR0VU2", "number": 2, "status": alert.status, "title": alert.summary}
    data |= {"incident_key": alert.key, "created_at": at, "urgency": "high", "resolve_reason": None}
    event: dict[str, Any] = {
        "id": uuid.uuid4().hex[:26].upper(),
        "event_type": f"incident.{alert.status}",
        "resource_type": "incident",
    }
    event |= {"occurred_at": at, "client": {"name": "PagerDuty"}}
    return {"event": event | {"agent": user, "data": data | {"service": service, "assignees": [user]}}}


def sign(body: bytes, secret: str) -> str:
    """Return the signature without its version."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
