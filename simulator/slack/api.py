"""The door of Slack's Web API: reads arguments in either form, checks the token, answers `ok` or an error's name.

https://docs.slack.dev/apis/web-api/
"""

import json
from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, current_app, request

from simulator.slack.workspace import SlackError
from simulator.world.world import World

Arguments = dict[str, Any]
Method = Callable[[World, Arguments], Arguments]

slack = Blueprint("slack", __name__, url_prefix="/slack")
METHODS: dict[str, Method] = {}
SCOPES = "chat:write,chat:write.public,channels:read,files:write,users:read,users:read.email,im:write"


def method(name: str) -> Callable[[Method], Method]:
    """Announce what answers a method of the Web API."""

    def announce(answering: Method) -> Method:
        METHODS[name] = answering
        return answering

    return announce


@slack.route("/api/<name>", methods=["GET", "POST"])
def call(name: str) -> Response:
    """Answer one call; errors come with status 200, as Slack's do."""
    world: World = current_app.extensions["simulator"]
    try:
        answering = METHODS.get(name, _unknown)
        arguments = _arguments()
        _signed(world, arguments)
        with world.lock:
            answer = {"ok": True} | answering(world, arguments)
            world.changed()
    except SlackError as error:
        return error_response(error)
    return respond(answer)


def _unknown(_world: World, _arguments: Arguments) -> Arguments:
    raise SlackError("unknown_method")


def respond(answer: Arguments, status: int = 200) -> Response:
    """An answer in Slack's JSON."""
    response = Response(json.dumps(answer), status, content_type="application/json; charset=utf-8")
    response.headers["X-OAuth-Scopes"] = SCOPES
    return response


def error_response(error: SlackError, status: int = 200) -> Response:
    """The answer that carries an error."""
    answer: Arguments = {"ok": False, "error": error.name}
    if error.messages:
        answer |= {
            "errors": list(error.messages),
            "response_metadata": {"messages": [f"[ERROR] {m}" for m in error.messages]},
        }
    if error.needed:
        answer |= {"needed": error.needed, "provided": SCOPES}
    return respond(answer, status)


def _arguments() -> Arguments:
    if request.mimetype == "application/json":
        try:
            body = json.loads(request.get_data() or b"{}")
        except (ValueError, RecursionError) as error:
            raise SlackError("invalid_json") from error
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        return dict(request.args) | body
    return dict(request.args) | dict(request.form)


def _signed(world: World, arguments: Arguments) -> None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token if kind.lower() == "bearer" else str(arguments.get("token") or "")
    if not token:
        raise SlackError("not_authed")
    if not compare_digest(token.strip().encode(), world.slack.token.encode()):
        raise SlackError("invalid_auth")


def parsed(arguments: Arguments, name: str, problem: str) -> Any:
    """An argument that is JSON, which form-encoded calls send as text. Raises the named problem."""
    value = arguments.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError) as error:
        raise SlackError(problem) from error


def whole(arguments: Arguments, name: str, default: int) -> int:
    """An argument that is a whole number."""
    value = str(arguments.get(name) or default)
    if not value.isascii() or not value.isdigit():
        raise SlackError("invalid_arguments", f"must be an integer: {name}")
    return int(value)
