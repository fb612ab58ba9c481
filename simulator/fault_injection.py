"""Between the network and the routes: applies the faults that are on, and writes every call into the log."""

import socket
import time
from contextlib import suppress

from flask import Flask, Response, g, request

from simulator.slack import api as slack_api
from simulator.slack.workspace import SlackError
from simulator.tableau.wire import ApiError, error_response
from simulator.twilio import api as twilio_api
from simulator.twilio.account import TwilioError
from simulator.world.calls import Call
from simulator.world.faults import Fault
from simulator.world.world import World

SHAPES = {"strings", "single", "bare", "lists", "empty"}
PAGE = "<html><head><title>{status}</title></head><body><center><h1>{status} {words}</h1></center><hr></body></html>"


def register(app: Flask, world: World) -> None:
    """Have every vendor call of an application pass here."""

    @app.before_request
    def meet() -> Response | None:
        g.began, g.target = time.monotonic(), target_of(request.path)
        g.struck = world.faults.hit(g.target, request.method, request.path) if g.target else []
        g.shapes = SHAPES.intersection(fault.kind for fault in g.struck)
        for fault in g.struck:
            if (response := _strike(world, fault)) is not None:
                return response
        return None

    @app.after_request
    def note(response: Response) -> Response:
        if g.get("target"):
            lost = next((fault for fault in g.struck if fault.kind == "lost"), None)
            if lost:
                world.timer.stopping.wait(lost.seconds)
                hang_up()
            _log(world, 0 if lost or any(fault.kind == "refuse" for fault in g.struck) else response.status_code)
        return response


def target_of(path: str) -> str:
    """Which vendor a path belongs to; empty for our own pages."""
    prefixes = {"/api/": "tableau", "/slack/": "slack", "/twilio/": "twilio"}
    return next((target for prefix, target in prefixes.items() if path.startswith(prefix)), "")


def _log(world: World, status: int) -> None:
    # Where one address serves many methods or resources, the route says what was called.
    rule = g.get("rule") or (request.path if g.target == "slack" else str(request.url_rule or request.path))
    spent = round((time.monotonic() - g.began) * 1000, 1)
    struck = tuple(fault.kind for fault in g.struck)
    with world.lock:
        world.calls.add(Call(world.now(), g.target, request.method, request.path, rule, status, spent, struck))


def hang_up() -> None:
    """Close the connection under the server's feet, so that nothing it still writes arrives."""
    for server in ("werkzeug.socket", "gunicorn.socket"):
        if isinstance(connection := request.environ.get(server), socket.socket):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _strike(world: World, fault: Fault) -> Response | None:
    """What a fault answers in place of the route; None lets the call go on."""
    if fault.kind == "delay":
        world.timer.stopping.wait(fault.seconds)
    if fault.kind == "expire":
        world.sessions.close(request.headers.get("X-Tableau-Auth", ""))
    answering = ANSWERS.get(fault.kind)
    return answering(fault) if answering else None


def _refuse(_fault: Fault) -> Response:
    hang_up()
    return Response(status=502)


def _redirect(fault: Fault) -> Response:
    there = fault.location.rstrip("/") + request.full_path.rstrip("?")
    return Response(status=301, headers={"Location": there})


def _html(fault: Fault) -> Response:
    status = fault.status
    words = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}.get(status, "Error")
    return Response(PAGE.format(status=status, words=words), status, mimetype="text/html")


def _error(fault: Fault) -> Response:
    code = fault.code
    if g.target == "slack":
        return slack_api.error_response(SlackError(code or "internal_error"))
    if g.target == "twilio":
        number = int(code) if code.isdigit() else 20500
        statuses = {20003: 401, 20404: 404, 20429: 429, 20500: 500}
        return twilio_api.error_response(TwilioError(number, "Simulated fault", statuses.get(number, 400)))
    known = code if len(code) == 6 and code.isdigit() and 400 <= int(code[:3]) < 600 else "500000"
    return error_response(ApiError(known, "Simulated fault"))


def _throttled(fault: Fault) -> Response:
    if g.target == "slack":
        response = slack_api.error_response(SlackError("ratelimited"), 429)
    elif g.target == "twilio":
        response = twilio_api.error_response(TwilioError(20429, "Too Many Requests", 429))
    else:
        minutes = max(1, round(fault.seconds / 60))
        response = error_response(
            ApiError("429000", f"Too many requests for 'api.rest.default'. Try again in {minutes} minutes.")
        )
    if fault.header:
        response.headers["Retry-After"] = str(round(fault.seconds))
    return response


def _unauthorized(fault: Fault) -> Response:
    form = fault.form
    if g.target == "slack":
        return slack_api.error_response(SlackError("invalid_auth"))
    if g.target == "twilio":
        return twilio_api.error_response(TwilioError(20003, "Authenticate", 401))
    if form == "html":
        return Response(PAGE.format(status=401, words="Unauthorized"), 401, mimetype="text/html")
    if form == "empty":
        return Response(status=401)
    code = {"401000": "401000", "403": "403004"}.get(form, "401002")
    return error_response(ApiError(code, "Invalid authentication credentials were provided."))


def _document(fault: Fault) -> Response:
    return Response(fault.document, mimetype="application/json")


ANSWERS = {
    "document": _document,
    "refuse": _refuse,
    "redirect": _redirect,
    "html": _html,
    "error": _error,
    "throttled": _throttled,
    "unauthorized": _unauthorized,
}
