"""Slack's incoming webhooks: each posts to one channel of the simulated workspace.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from hmac import compare_digest

from flask import Blueprint, Response, request

from simulator.slack.messages import read_content
from simulator.slack.workspace import SlackError
from simulator.world.current import current_world

blueprint = Blueprint("slack_webhook", __name__, url_prefix="/slack/hooks")


@blueprint.post("/T0SIMULATED/<channel>/<token>")
def take(channel: str, token: str) -> Response:
    """Post a message to the channel; responses are words in plain text."""
    world = current_world()
    if not compare_digest(token.encode(), world.config.slack_webhook_token.encode()):
        return _word("no_service", 404)
    try:
        payload = json.loads(request.get_data())
    except ValueError:
        return _word("invalid_payload", 400)
    if not isinstance(payload, dict) or not (payload.get("text") or payload.get("blocks")):
        return _word("no_text", 400)
    with world.lock:
        try:
            found = world.slack.find(f"#{channel}")
            world.slack.post(found, world.slack.new_message(found.id, read_content(payload)))
        except SlackError as error:
            return _word(error.name, {"channel_not_found": 404, "is_archived": 410}.get(error.name, 400))
        world.changed()
    return _word("ok", 200)


def _word(word: str, status: int) -> Response:
    return Response(word, status, mimetype="text/plain")
