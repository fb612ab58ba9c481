"""Errors as problem details, https://www.rfc-editor.org/rfc/rfc9457: JSON that says what is wrong.

People in a browser get a page instead, see `webhooks.dashboard.serving`.
"""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

CONTENT_TYPE = "application/problem+json"
# Names that Python 3.11 and 3.12 do not know yet, https://www.rfc-editor.org/rfc/rfc9110#section-15.5
TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


def wants_page() -> bool:
    """Return whether a person waits for the response in a browser, and neither a program nor the script of a page."""
    if "X-Poll" in request.headers:
        return False
    # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Mode
    return "text/html" in request.headers.get("Accept", "") or request.headers.get("Sec-Fetch-Mode") == "navigate"


def problem(status: int, detail: str) -> Response:
    """Return the response for an error."""
    title = title_of(status)
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}) + "\n"
    return Response(body, f"{status} {title}", content_type=CONTENT_TYPE)


def title_of(status: int) -> str:
    """Return the name of a status, the same with every version of Python."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem_of(error: HTTPException) -> Response:
    """Return the response for an HTTP error, with its headers such as Allow and Retry-After."""
    response = problem(error.code or 500, _detail(error))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _detail(error: HTTPException) -> str:
    """Return what is wrong; of the errors that Flask raises itself, also what would be right."""
    is_flasks_own = error.description == type(error).description
    if isinstance(error, MethodNotAllowed) and is_flasks_own and error.valid_methods:
        return f"{request.method} is not allowed here. Use {' or '.join(sorted(error.valid_methods))}."
    if isinstance(error, RequestEntityTooLarge) and is_flasks_own and request.max_content_length:
        return f"The body is larger than {request.max_content_length // 1024} KiB."
    return error.description or ""
