"""A program that takes messages as POST requests, and verifies them by Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from flask import Blueprint, Response, request

from simulator.receivers.state import Taken
from simulator.world.current import current_world
from simulator.world.world import World

blueprint = Blueprint("program", __name__, url_prefix="/post")
# Seconds by which a request may be old.
TOLERANCE = 300


@blueprint.post("/<name>")
def take(name: str) -> Response:
    """Take a message that is signed; one that came before changes nothing."""
    world, body = current_world(), request.get_data()
    if not _is_signed(world, body):
        return Response("The signature is invalid.\n", 401, mimetype="text/plain")
    message_id = request.headers["webhook-id"]
    content = json.loads(body)
    with world.lock:
        if message_id not in world.taking.ids:
            world.taking.ids.add(message_id)
            title = f"{content['type']}: {content['data']['title']}"
            world.taking.messages.append(Taken("post", name, title, content["data"]["text"], world.now(), content))
            world.changed()
    return Response(status=204)


def _is_signed(world: World, body: bytes) -> bool:
    headers = request.headers
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit() or abs(world.now().timestamp() - int(timestamp)) > TOLERANCE:
        return False
    key = base64.b64decode(world.config.post_secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)).decode()
    return any(
        hmac.compare_digest(f"v1,{expected}".encode(), given.encode())
        for given in headers.get("webhook-signature", "").split()
    )
