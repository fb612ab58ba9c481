"""The server that ours is compared with: a Flask endpoint that parses JSON and responds."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


@app.post("/webhook/<token>")
def receive(token: str) -> dict[str, str]:  # noqa: ARG001 - the route is the same as ours
    """Parse the event and respond."""
    request.get_json()
    return {"status": "ok"}
