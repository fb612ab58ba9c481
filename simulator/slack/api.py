"""The frame of Slack's Web API: arguments in either form, token, scopes, rate limits, errors by name.

https://docs.slack.dev/apis/web-api/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, request

from simulator.slack.workspace import Channel, SlackError
from simulator.world.current import current_world
from simulator.world.world import World

Arguments = dict[str, Any]
Function = Callable[[World, Arguments], Arguments]

slack = Blueprint("slack", __name__, url_prefix="/slack")


@dataclass(frozen=True)
class Method:
    """A method of the Web API: its function, the scope it always needs, and its tier; 0 has no limit per method."""

    function: Function
    scope: str
    tier: int


METHODS: dict[str, Method] = {}


def method(name: str, *, scope: str = "", tier: int = 0) -> Callable[[Function], Function]:
    """Register the function for a method of the Web API."""

    def register(function: Function) -> Function:
        METHODS[name] = Method(function, scope, tier)
        return function

    return register


@slack.route("/api/<name>", methods=["GET", "POST"])
def call(name: str) -> Response:
    """Respond to one call. Raises SlackError."""
    world, arguments = current_world(), _arguments()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token if kind.lower() == "bearer" else str(arguments.get("token") or "")
    if not token:
        raise SlackError("not_authed")
    if not compare_digest(token.strip().encode(), world.slack.token.encode()):
        raise SlackError("invalid_auth")
    if (known := METHODS.get(name)) is None:
        raise SlackError("unknown_method", f"The simulator does not support {name}. Slack may support it.")
    with world.lock:
        if known.scope:
            world.slack.require_scope(known.scope)
        if known.tier and world.config.slack_rate_limits:
            raise_if_limited(world.slack.rate_limits.count_call(name, known.tier, world.now()))
        content = {"ok": True} | known.function(world, arguments)
        world.changed()
    return respond(content)


def raise_if_limited(seconds: int) -> None:
    """Raise SlackError if there are seconds to wait."""
    if seconds:
        raise SlackError("ratelimited", retry_after=seconds)


def channel_by_id(world: World, arguments: Arguments, scope: str = "") -> Channel:
    """Return the channel with the id in `channel`; most methods accept no name. Raises SlackError.

    `scope` is the last part of the scope that the kind of channel needs, such as `history`.
    """
    channel = world.slack.channels.get(str(arguments.get("channel") or ""))
    if channel is None:
        raise SlackError("channel_not_found")
    if scope:
        world.slack.require_scope(f"{channel.scope}:{scope}")
    if channel.private and not channel.member:
        raise SlackError("channel_not_found")
    return channel


def respond(content: Arguments, status: int = 200) -> Response:
    """Return a response in Slack's JSON."""
    response = Response(json.dumps(content), status, content_type="application/json; charset=utf-8")
    response.headers["X-OAuth-Scopes"] = ",".join(current_world().slack.scopes)
    return response


@slack.errorhandler(SlackError)
def error_response(error: SlackError, status: int = 200) -> Response:
    """Return the response of an error, which has status 200 as Slack's errors do, except 429 for a rate limit."""
    content: Arguments = {"ok": False, "error": error.name}
    if error.messages:
        content["errors"] = list(error.messages)
        content["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in error.messages]}
    if error.needed:
        content |= {"needed": error.needed, "provided": ",".join(current_world().slack.scopes)}
    response = respond(content, 429 if error.retry_after else status)
    if error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _arguments() -> Arguments:
    if request.mimetype != "application/json":
        return dict(request.args) | dict(request.form)
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise SlackError("invalid_json") from error
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return dict(request.args) | body


def json_argument(arguments: Arguments, name: str, error_name: str) -> Any:
    """Return a JSON argument, which form-encoded calls send as text. Raises SlackError with `error_name`."""
    value = arguments.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError) as error:
        raise SlackError(error_name) from error


def int_argument(arguments: Arguments, name: str, default: int) -> int:
    """Return a whole number. Raises SlackError."""
    value = str(arguments.get(name) or default)
    if not value.isascii() or not value.isdigit():
        raise SlackError("invalid_arguments", f"must be an integer: {name}")
    return int(value)


def bool_argument(arguments: Arguments, name: str) -> bool:
    """Return whether an argument is true, as JSON or as text."""
    return str(arguments.get(name) or "").lower() in {"1", "true"}
