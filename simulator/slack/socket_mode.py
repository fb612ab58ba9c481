"""Open connections of Socket Mode: the method that returns their address, and the address.

https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

from hmac import compare_digest

from flask import Response, g, request

from simulator.slack.api import respond, slack
from simulator.slack.sockets import APP
from simulator.slack.websocket import Taken, WebSocket
from simulator.slack.workspace import SlackError
from simulator.world.current import current_world


@slack.post("/api/apps.connections.open")
def open_connection() -> Response:
    """Return the address of a connection. Raises SlackError."""
    world = current_world()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise SlackError("not_authed")
    if not world.config.slack_app_token or not compare_digest(token.encode(), world.config.slack_app_token.encode()):
        raise SlackError("invalid_auth")
    ticket = world.slack.sockets.new_ticket()
    return respond({"ok": True, "url": f"ws://{request.host}/slack/socket/?ticket={ticket}&app_id={APP}"})


@slack.get("/socket/", websocket=True)
def connect() -> Response:
    """Take over the socket for a connection."""
    g.rule = "/slack/socket"
    world = current_world()
    key = request.headers.get("Sec-WebSocket-Key", "")
    raw = request.environ.get("werkzeug.socket")
    if request.headers.get("Upgrade", "").lower() != "websocket" or not key or raw is None:
        return Response("a WebSocket is expected\n", 426, {"Upgrade": "websocket"}, mimetype="text/plain")
    if not world.slack.sockets.use(request.args.get("ticket", "")):
        return Response("the ticket is not valid\n", 403, mimetype="text/plain")
    raw.settimeout(None)
    world.slack.sockets.serve(WebSocket.accept(raw, key), greet=world.config.slack_socket_hello)
    return Taken()
