"""Press the buttons of messages: a signed request to the app, and the address that accepts its responses.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Response, g, request

from simulator.slack.api import Arguments, slack
from simulator.slack.messages import describe_message, identified_blocks, read_content
from simulator.slack.workspace import TEAM, Member, Message, ResponseUrl
from simulator.world.current import current_world
from simulator.world.world import World

# An app must respond within 3 s; Slack does not repeat the request.
TIMEOUT = 3.0
# A response_url accepts this many responses, and for this long.
RESPONSES, RESPONSE_PERIOD = 5, timedelta(minutes=30)
APP, DOMAIN = "A0WEBHOOKS", "acme"


@dataclass(frozen=True)
class Target:
    """A button or an entry of a menu: by its action id or value, or else by its text; `block_id` "" is any block."""

    button: str
    block_id: str = ""


@dataclass(frozen=True)
class Pressed:
    """The result of a press; `status` is None without a response, and `error` is "" after a 200."""

    button: str
    url: str
    status: int | None
    response: str
    error: str
    milliseconds: float


def press(
    world: World, message: Message, member: Member, target: Target, *, base_url: str, show_error: bool = True
) -> Pressed:
    """Press a button, and return what the app responded.

    Raises ValueError if the message has no such button. Do not hold the world's lock: the app may call back.
    """
    with world.lock:
        action = find_action(message, target)
        payload = _payload(world, message, member, action, base_url)
        url, secret = world.config.slack_interactions_url, world.config.slack_signing_secret
        timestamp = str(int(world.now().timestamp()))
        sockets = world.slack.sockets if world.config.slack_app_token else None
    body = urlencode({"payload": json.dumps(payload)}).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(secret, timestamp, body),
    }
    if sockets is not None:
        began = time.monotonic()
        error = sockets.send(payload, TIMEOUT)
        took = round((time.monotonic() - began) * 1000, 1)
        pressed = Pressed(_label(action), "Socket Mode", None if error else 200, "", error, took)
    else:
        pressed = _send(_label(action), url, body, headers)
    with world.lock:
        message.press_error = pressed.error if show_error else ""
        world.changed()
    return pressed


def _send(button: str, url: str, body: bytes, headers: dict[str, str]) -> Pressed:
    began = time.monotonic()
    status, text, error = None, "", ""
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
            status, text = response.status_code, response.text[:1000]
        if status != 200:
            error = f"The app responded with {status} at {url}"
    except requests.Timeout:
        error = f"The app did not respond within {TIMEOUT:g} s at {url}"
    except requests.RequestException as failure:
        error = f"The app cannot be reached at {url}: {type(failure).__name__}"
    return Pressed(button, url, status, text, error, round((time.monotonic() - began) * 1000, 1))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a request: the HMAC of version, time and raw body."""
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return f"v0={digest}"


def find_action(message: Message, target: Target) -> Arguments:
    """Return a button, or a menu with its chosen entry, and its `block_id`.

    Raises ValueError if the message has no such button.
    """
    buttons = [
        button | {"block_id": block["block_id"]}
        for block in identified_blocks(message, with_attachments=True)
        for button in _buttons(block)
        if target.block_id in ("", block["block_id"])
    ]
    by_id = (button for button in buttons if _identifier(button) == target.button)
    by_text = (button for button in buttons if _label(button) == target.button)
    if found := next(by_id, None) or next(by_text, None):
        return found
    known = ", ".join(f"{_identifier(button)!r} ({_label(button)})" for button in buttons) or "none"
    raise ValueError(f"The message has no button {target.button!r}. Its buttons: {known}")


def _buttons(block: dict[str, Any]) -> Iterator[Arguments]:
    """Return the buttons of a block, and each menu once for every entry, which is its `selected_option`."""
    elements = block.get("elements", []) if block.get("type") == "actions" else [block.get("accessory")]
    for element in elements:
        if isinstance(element, dict) and element.get("type") == "button":
            yield element
        elif isinstance(element, dict) and element.get("type") == "overflow":
            yield from (element | {"selected_option": option} for option in element["options"])


def _label(action: Arguments) -> str:
    return str(action.get("selected_option", action)["text"]["text"])


def _identifier(action: Arguments) -> str:
    return str(action["selected_option"]["value"] if "selected_option" in action else action["action_id"])


def _payload(world: World, message: Message, member: Member, action: Arguments, base_url: str) -> Arguments:
    channel = world.slack.channels[message.channel]
    ticket = world.slack.new_response_url(message, member.id)
    container = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    if message.is_reply:
        container["thread_ts"] = message.thread_ts
    # The payload about an ephemeral message does not contain the message.
    shown = {} if message.ephemeral_for else {"message": describe_message(world, message)}
    sent = ("type", "action_id", "block_id", "text", "value", "style", "url", "selected_option")
    return shown | {
        "type": "block_actions",
        "user": {"id": member.id, "username": member.name, "name": member.name, "team_id": TEAM},
        "api_app_id": APP,
        "token": "simulated-verification-token",
        "container": container | {"is_ephemeral": bool(message.ephemeral_for)},
        "trigger_id": f"1.2.{hashlib.sha256(ticket.encode()).hexdigest()[:32]}",
        "team": {"id": TEAM, "domain": DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": "directmessage" if channel.user else channel.name},
        "state": {"values": {}},
        "response_url": f"{base_url.rstrip('/')}/slack/actions/{ticket}",
        "actions": [
            {name: action[name] for name in sent if name in action} | {"action_ts": world.slack.timestamp(world.now())}
        ],
    }


@slack.post("/actions/<ticket>")
def respond_to_press(ticket: str) -> Response:
    """Accept a response to a press: a new message, or a change of the original. Raises SlackError.

    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
    """
    g.rule = "/slack/actions"
    world = current_world()
    try:
        arguments = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        return _refused("invalid_payload", 400)
    with world.lock:
        known = world.slack.response_urls.get(ticket)
        if known is None or world.now() - known.created > RESPONSE_PERIOD:
            return _refused("expired_url", 404)
        if known.uses >= RESPONSES:
            return _refused("used_url", 404)
        known.uses += 1
        _carry_out(world, known, arguments)
        world.changed()
    return Response("ok", mimetype="text/html")


def _refused(error: str, status: int) -> Response:
    return Response(json.dumps({"ok": False, "error": error}), status, mimetype="application/json")


def _carry_out(world: World, known: ResponseUrl, arguments: Arguments) -> None:
    original = known.message
    if arguments.get("delete_original") in (True, "true"):
        if world.slack.message(original.channel, original.ts):
            world.slack.delete(original)
        return
    content = read_content(arguments)
    # Without replace_original and response_type, the response is a new message that only the person sees.
    if arguments.get("replace_original") in (True, "true"):
        world.slack.edit(original, replace(content, metadata=original.metadata))
        return
    message = world.slack.new_message(original.channel, content)
    if arguments.get("response_type") != "in_channel":
        message.ephemeral_for = known.user
    message.thread_ts = str(arguments.get("thread_ts") or "")
    world.slack.post(world.slack.channels[original.channel], message)


def find_member(world: World, wanted: str) -> Member:
    """Return the member with this id, name or e-mail address; "" is the first one. Raises ValueError."""
    for member in world.slack.members:
        if wanted in ("", member.id, member.name, member.real_name, member.email):
            return member
    known = ", ".join(member.email for member in world.slack.members)
    raise ValueError(f"Unknown user {wanted!r}. Choose one of: {known}")
