"""The frame of Slack's Web API: read arguments in either form, check the token, respond with `ok` or an error name.

https://docs.slack.dev/apis/web-api/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, request

from simulator.slack.workspace import SlackError
from simulator.world.current import current_world
from simulator.world.world import World

Arguments = dict[str, Any]
Method = Callable[[World, Arguments], Arguments]

slack = Blueprint("slack", __name__, url_prefix="/slack")
METHODS: dict[str, Method] = {}


def method(name: str, *scopes: str) -> Callable[[Method], Method]:
    """Register the function for a method of the Web API; it needs all `scopes`.

    https://docs.slack.dev/reference/scopes
    """

    def register(function: Method) -> Method:
        def with_scopes(world: World, arguments: Arguments) -> Arguments:
            for scope in scopes:
                world.slack.require_scope(scope)
            return function(world, arguments)

        METHODS[name] = with_scopes
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
    if name not in METHODS:
        raise SlackError("unknown_method")
    with world.lock:
        content = {"ok": True} | METHODS[name](world, arguments)
        world.changed()
    return respond(content)


def respond(content: Arguments, status: int = 200) -> Response:
    """Return a response in Slack's JSON."""
    response = Response(json.dumps(content), status, content_type="application/json; charset=utf-8")
    response.headers["X-OAuth-Scopes"] = ",".join(current_world().slack.scopes)
    return response


@slack.errorhandler(SlackError)
def error_response(error: SlackError, status: int = 200) -> Response:
    """Return the response of an error, which has status 200 as Slack's errors do."""
    content: Arguments = {"ok": False, "error": error.name}
    if error.messages:
        content["errors"] = list(error.messages)
        content["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in error.messages]}
    if error.needed:
        content |= {"needed": error.needed, "provided": ",".join(current_world().slack.scopes)}
    return respond(content, status)


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
