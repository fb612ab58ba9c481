"""PagerDuty's Events API v2, with the alerts of one service.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from flask import Blueprint, Response, request

from simulator.receivers.state import Alert, Taken
from simulator.world.current import current_world
from simulator.world.world import World

blueprint = Blueprint("pagerduty", __name__, url_prefix="/pagerduty")
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
MAX_BYTES, MAX_SUMMARY, MAX_KEY = 512 * 1024, 1024, 255


@blueprint.post("/v2/enqueue")
def enqueue() -> Response:
    """Take an event and respond with 202."""
    world, body = current_world(), request.get_data()
    try:
        event = json.loads(body)
        errors = list(_errors(world, event, len(body)))
    except (ValueError, AttributeError):
        event, errors = {}, ["Invalid JSON"]
    if errors:
        content = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        return Response(json.dumps(content), 400, mimetype="application/json")
    key = event.get("dedup_key") or uuid.uuid4().hex
    with world.lock:
        _apply(world, event, key)
        world.changed()
    content = {"status": "success", "message": "Event processed", "dedup_key": key}
    return Response(json.dumps(content), 202, mimetype="application/json")


def _errors(world: World, event: dict[str, Any], size: int) -> list[str]:
    action, payload = event.get("event_action"), event.get("payload") or {}
    summary, key = payload.get("summary") or "", event.get("dedup_key") or ""
    links = event.get("links") or ()
    triggers = action == "trigger"
    checks = {
        "'routing_key' is invalid": event.get("routing_key") == world.config.pagerduty_key,
        "'event_action' is invalid": action in ACTIONS,
        "Event exceeds 512 KB": size <= MAX_BYTES,
        "'dedup_key' is missing or too long": len(key) <= MAX_KEY and bool(triggers or key),
        "'payload.summary' is missing, blank or too long": not triggers or 0 < len(summary) <= MAX_SUMMARY,
        "'payload.severity' is invalid": not triggers or payload.get("severity") in SEVERITIES,
        "'payload.source' is missing or blank": not triggers or bool(payload.get("source")),
        "'links.href' is invalid": all(str(link.get("href", "")).startswith("http") for link in links),
    }
    return [error for error, is_right in checks.items() if not is_right]


def _apply(world: World, event: dict[str, Any], key: str) -> None:
    """Change the alert: a trigger after a resolution makes a new one, one after an acknowledgement changes no state."""
    action, alerts = event["event_action"], world.taking.alerts
    alert = next((one for one in reversed(alerts) if one.key == key and one.status != "resolved"), None)
    if alert is None:
        if action != "trigger":
            # PagerDuty accepts and ignores it.
            return
        payload = event["payload"]
        alert = Alert("data", key, payload["summary"], payload["severity"])
        alerts.append(alert)
    alert.log.append(action)
    if action != "trigger":
        alert.status = f"{action.rstrip('e')}ed"
    details = (event.get("payload") or {}).get("custom_details") or {}
    text = "\n".join(f"{name}: {value}" for name, value in details.items())
    world.taking.messages.append(Taken("pagerduty", action, alert.summary, text, world.now(), event))
