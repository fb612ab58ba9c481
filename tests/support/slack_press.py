"""A press of a button in Slack: its payload and its signed request, made without the code that reads them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

SECRET = "signing-secret-of-the-test"
FORM = "application/x-www-form-urlencoded"


def press_payload(action_id: str, value: str, **changes: Any) -> dict[str, Any]:
    """Return a block_actions payload as Slack documents it; `changes` replace its fields."""
    action = {"type": "button", "action_id": action_id, "block_id": "b1", "value": value, "action_ts": "1795600000.5"}
    return {
        "type": "block_actions",
        "user": {"id": "U0ANN", "username": "ann", "name": "ann", "team_id": "T0ACME"},
        "api_app_id": "A0WEBHOOKS",
        "container": {"type": "message", "message_ts": "1795600000.000100", "channel_id": "C0BI"},
        "team": {"id": "T0ACME", "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "actions": [action],
    } | changes


def form(payload: Any) -> bytes:
    """Return the body of the request for a payload, or for a text that is none."""
    return urlencode({"payload": payload if isinstance(payload, str) else json.dumps(payload)}).encode()


def signed(body: bytes, *, secret: str = SECRET, age: float = 0.0) -> dict[str, str]:
    """Return the headers of a request with this body that Slack signed `age` seconds ago."""
    timestamp = str(int(time.time() - age))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": FORM, "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
