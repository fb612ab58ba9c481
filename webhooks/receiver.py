"""POST /webhook: token, size, parse, keep, answer. No rule is evaluated and no network touched before the answer."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Sequence

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from webhooks.errors import StoreUnavailable
from webhooks.event import MAX_BYTES, Malformed, Unprocessable, parse
from webhooks.services import Services

log = logging.getLogger(__name__)
blueprint = Blueprint("receiver", __name__)

RETRY_AFTER_SECONDS = 5


@blueprint.post("/webhook", provide_automatic_options=False)
@blueprint.post("/webhook/<path:token>", provide_automatic_options=False)
def receive(token: str | None = None) -> Response:
    """Answers 200 when the event is on disk; see the table in docs/http.md for all the other answers.

    Tableau cannot sign what it sends, so the URL holds the secret; it waits 3 s for a 200, and tries three times more
    for any other answer.
    """
    services: Services = current_app.extensions["webhooks"]
    if not _authorized(services.tokens, token or request.args.get("token", "")):
        log.warning("Refused a request from %s: wrong or missing token", request.remote_addr)
        return problem(401, "The webhook token is wrong or missing.")
    try:
        body = _body()
        event = parse(body)
    except OSError:
        return problem(408, "The request stopped in the middle.")
    except Malformed as error:
        return problem(400, str(error))
    except Unprocessable as error:
        return problem(422, str(error))
    if event is None:
        log.info("A test request from %s", request.remote_addr)
        return answer({"status": "test"})
    try:
        receipt = services.inbox.receive(event)
    except StoreUnavailable as error:
        log.error("An event could not be kept, Tableau is asked to send it again: %s", error)  # noqa: TRY400
        return problem(503, "The inbox cannot write now.", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    services.start_worker()
    known = "again" if receipt.duplicate else "accepted"
    log.info("Event %s %s: %r %r", receipt.id, known, event.event_type, event.resource_name)
    return answer({"status": "duplicate" if receipt.duplicate else "accepted", "event": receipt.id})


def _body() -> bytes:
    """The request's body. Raises 413 before or while reading too much, OSError when the client stops sending."""
    length = request.content_length
    if length is None:
        # Without a length only a server that marks the end (chunked) can be read from.
        length = MAX_BYTES + 1 if request.environ.get("wsgi.input_terminated") else 0
    elif length > MAX_BYTES:
        raise RequestEntityTooLarge
    body: bytes = request.environ["wsgi.input"].read(length)
    if len(body) > MAX_BYTES:
        raise RequestEntityTooLarge
    if request.content_length is not None and len(body) < length:
        raise ConnectionAbortedError
    return body


def answer(body: dict[str, object]) -> Response:
    return Response(json.dumps(body) + "\n", content_type="application/json")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error as RFC 9457 has it."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    return Response(json.dumps(body) + "\n", status, headers, content_type="application/problem+json")


TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def http_problem(error: HTTPException) -> Response:
    """Flask's own refusals (404, 405, 413 …) in the same form, with their headers, such as Allow."""
    status = error.code or 500
    detail = f"Over {MAX_BYTES // 1024} KiB." if status == 413 else error.description or ""
    headers = {name: value for name, value in error.get_headers() if name.lower() not in {"content-type"}}
    return problem(status, detail, headers)


def unexpected(error: Exception) -> Response:
    """A mistake of ours: logged whole, told to nobody."""
    log.error("%s %s failed", request.method, request.endpoint, exc_info=error)
    return problem(500, "An error inside the server; its log has the details.")


def _authorized(tokens: Sequence[bytes], given: str) -> bool:
    """Whether the token is one of ours; takes as long for a near miss as for a far one."""
    if not tokens:
        return True
    candidate = given.encode("utf-8", "surrogateescape")
    # A list and not a generator: the second comparison runs also when the first has succeeded.
    return any([hmac.compare_digest(candidate, token) for token in tokens])  # noqa: C419
