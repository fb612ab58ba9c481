"""The blueprint of the simulator's HTTP API, its errors, and the reading of requests."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, request

from simulator.world.events import Impossible

control = Blueprint("control", __name__, url_prefix="/simulator")
Content = dict[str, Any]
Result = Content | tuple[Content, int]


class InvalidRequest(ValueError):
    """A request that cannot be understood."""


@control.before_request
def require_same_origin() -> Result | None:
    """Refuse requests that a page of another origin makes in a browser."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin and urlsplit(origin).netloc != request.host:
        return {"error": f"Requests from {origin} are not allowed"}, 403
    return None


@control.errorhandler(ValueError)
def handle_error(error: ValueError) -> Result:
    """Return the error as JSON: 409 if the event is impossible, else 400."""
    return {"error": str(error)}, 409 if isinstance(error, Impossible) else 400


def read_body() -> Content:
    """Return the JSON object that the request contains; {} for an empty body. Raises InvalidRequest."""
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body must be JSON") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object")
    return body
