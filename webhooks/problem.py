"""Errors as RFC 9457 has them: a JSON object that says what is wrong."""

from __future__ import annotations

import json
from http import HTTPStatus

CONTENT_TYPE = "application/problem+json"
# Names that Python 3.11 and 3.12 do not know yet, https://www.rfc-editor.org/rfc/rfc9110#section-15.5
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


def title(status: int) -> str:
    """The status in words."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem(status: int, detail: str) -> bytes:
    """The body of an error answer."""
    body = {"type": "about:blank", "title": title(status), "status": status, "detail": detail}
    return (json.dumps(body) + "\n").encode()
