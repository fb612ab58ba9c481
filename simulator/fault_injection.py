"""Apply the faults that are on to the vendors' calls, and log every call."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from flask import Flask, Response, g, request

from simulator.slack import api as slack_api
from simulator.slack.workspace import SlackError
from simulator.tableau.wire import ApiError
from simulator.tableau.wire import error_response as tableau_error
from simulator.twilio import api as twilio_api
from simulator.twilio.account import TwilioError
from simulator.world.calls import Call
from simulator.world.faults import Fault
from simulator.world.world import World

# The faults that change the shape of Tableau's JSON.
SHAPES = {"strings", "single", "bare", "lists", "empty"}
PREFIXES = {
    "/api/": "tableau",
    "/slack/": "slack",
    "/twilio/": "twilio",
    "/teams/": "teams",
    "/pagerduty/": "pagerduty",
    "/post/": "post",
}
# Their errors are statuses.
RECEIVERS = frozenset({"teams", "pagerduty", "post"})
HTML = "<html><head><title>{status}</title></head><body><center><h1>{status} {words}</h1></center><hr></body></html>"
HTML_TITLES = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}
TWILIO_STATUSES = {20003: 401, 20404: 404, 20429: 429, 20500: 500}

Responder = Callable[[Fault], Response]
_responders: dict[str, Responder] = {}


def register(app: Flask, world: World) -> None:
    """Add the faults and the log of calls to an application."""

    @app.before_request
    def apply_faults() -> Response | None:
        g.began = time.monotonic()
        g.target = next((target for prefix, target in PREFIXES.items() if request.path.startswith(prefix)), "")
        g.faults = world.faults.hit(g.target, request.method, request.path) if g.target else []
        g.shapes = SHAPES.intersection(fault.kind for fault in g.faults)
        for fault in g.faults:
            if fault.kind == "delay":
                world.timer.stopping.wait(fault.seconds)
            elif fault.kind == "expire":
                world.sessions.close(request.headers.get("X-Tableau-Auth", ""))
            elif responder := _responders.get(fault.kind):
                return responder(fault)
        return None

    @app.after_request
    def log_call(response: Response) -> Response:
        if not g.get("target"):
            return response
        status = response.status_code
        if lost := next((fault for fault in g.faults if fault.kind == "lost"), None):
            world.timer.stopping.wait(lost.seconds)
            hang_up()
        if lost or any(fault.kind == "refuse" for fault in g.faults):
            status = 0
        # If one address serves many methods or resources, its handler has set the rule.
        rule = g.get("rule") or (request.path if g.target == "slack" else str(request.url_rule or request.path))
        milliseconds = round((time.monotonic() - g.began) * 1000, 1)
        kinds = tuple(fault.kind for fault in g.faults)
        with world.lock:
            now = world.now()
            world.calls.add(Call(now, g.target, request.method, request.path, rule, status, milliseconds, kinds))
        return response


def hang_up() -> None:
    """Close the connection, so that nothing that the server still writes arrives."""
    for server in ("werkzeug.socket", "gunicorn.socket"):
        if isinstance(connection := request.environ.get(server), socket.socket):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def responds(kind: str) -> Callable[[Responder], Responder]:
    """Register the function that responds in place of the route for this kind of fault."""

    def register(responder: Responder) -> Responder:
        _responders[kind] = responder
        return responder

    return register


@responds("refuse")
def _refuse(_fault: Fault) -> Response:
    hang_up()
    return Response(status=502)


@responds("redirect")
def _redirect(fault: Fault) -> Response:
    location = fault.location.rstrip("/") + request.full_path.rstrip("?")
    return Response(status=301, headers={"Location": location})


@responds("html")
def _html(fault: Fault) -> Response:
    words = HTML_TITLES.get(fault.status, "Error")
    return Response(HTML.format(status=fault.status, words=words), fault.status, mimetype="text/html")


@responds("document")
def _document(fault: Fault) -> Response:
    return Response(fault.document, mimetype="application/json")


@responds("error")
def _error(fault: Fault) -> Response:
    code = fault.code
    if g.target in RECEIVERS:
        return Response("Simulated fault", int(code) if code.isdigit() else 500, mimetype="text/plain")
    if request.path.startswith("/slack/hooks/"):
        return Response(code or "rollup_error", 500 if code in {"", "rollup_error"} else 400, mimetype="text/plain")
    if g.target == "slack":
        return slack_api.error_response(SlackError(code or "internal_error"))
    if g.target == "twilio":
        number = int(code) if code.isdigit() else 20500
        return twilio_api.error_response(TwilioError(number, "Simulated fault", TWILIO_STATUSES.get(number, 400)))
    is_valid = len(code) == 6 and code.isdigit() and 400 <= int(code[:3]) < 600
    return tableau_error(ApiError(code if is_valid else "500000", "Simulated fault"))


@responds("throttled")
def _throttled(fault: Fault) -> Response:
    if g.target in RECEIVERS or request.path.startswith("/slack/hooks/"):
        response = Response("Too many requests", 429, mimetype="text/plain")
    elif g.target == "slack":
        response = slack_api.error_response(SlackError("ratelimited"), 429)
    elif g.target == "twilio":
        response = twilio_api.error_response(TwilioError(20429, "Too Many Requests", 429))
    else:
        minutes = max(1, round(fault.seconds / 60))
        detail = f"Too many requests for 'api.rest.default'. Try again in {minutes} minutes."
        response = tableau_error(ApiError("429000", detail))
    if fault.header:
        response.headers["Retry-After"] = str(round(fault.seconds))
    return response


@responds("unauthorized")
def _unauthorized(fault: Fault) -> Response:
    if g.target in RECEIVERS:
        return Response(status=401)
    if g.target == "slack":
        return slack_api.error_response(SlackError("invalid_auth"))
    if g.target == "twilio":
        return twilio_api.error_response(TwilioError(20003, "Authenticate", 401))
    if fault.form == "html":
        return Response(HTML.format(status=401, words="Unauthorized"), 401, mimetype="text/html")
    if fault.form == "empty":
        return Response(status=401)
    code = {"401000": "401000", "403": "403004"}.get(fault.form, "401002")
    return tableau_error(ApiError(code, "Invalid authentication credentials were provided."))
