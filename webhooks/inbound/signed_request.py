"""Requests of services that sign them: read the raw body, and respond to refused ones."""

from __future__ import annotations

import logging

from flask import Response, request
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    Unauthorized,
    UnsupportedMediaType,
)

from notifiers.twilio.replies import Fields, is_signed, parse_fields
from webhooks.observability.logs import LogLimiter
from webhooks.problem import problem_of
from webhooks.request_body import require_uncompressed

# Bytes of a form of Twilio.
MAX_FORM = 64 * 1024
FORM = "application/x-www-form-urlencoded"
RETRY_AFTER_SECONDS = 5


class Refusals:
    """Responds to refused requests with a problem document, and logs them, unless there are many of a status."""

    def __init__(self, log: logging.Logger, subject: str) -> None:
        self._log, self._subject, self._limiter = log, subject, LogLimiter()

    def __call__(self, error: HTTPException) -> Response:
        """Return the problem document."""
        suppressed = self._limiter.admit(str(error.code))
        if suppressed is not None:
            more = f" ({suppressed} more since the last such line)" if suppressed else ""
            peer, text = request.remote_addr, error.description
            self._log.warning("%s refused: status=%s peer=%s: %s%s", self._subject, error.code, peer, text, more)
        return problem_of(error)


def read_body(limit: int) -> bytes:
    """Return the raw body.

    Raises UnsupportedEncoding, RequestEntityTooLarge, RequestTimeout if it ends early, and BadRequest.
    """
    require_uncompressed(request.environ)
    request.max_content_length = limit
    try:
        body = request.get_data(cache=False)
        # Without Content-Length, Werkzeug stops reading at the limit without an error.
        if len(body) >= limit:
            raise RequestEntityTooLarge  # noqa: TRY301 - handled like Werkzeug's own
    except RequestEntityTooLarge as error:
        raise RequestEntityTooLarge(f"The body is larger than {limit // 1024} KiB.") from error
    except (ClientDisconnected, OSError) as error:
        raise RequestTimeout("The body ended early.") from error
    except Exception as error:
        # Each server has its own exceptions for invalid chunks.
        raise BadRequest("The body's chunks are invalid.") from error
    return body


def read_twilio_form(url: str, token: str) -> Fields:
    """Return the fields of a request to `url` that Twilio signed with the account's auth token.

    Raises UnsupportedMediaType, Unauthorized, and the errors of `read_body`.
    """
    body = read_body(MAX_FORM)
    if request.mimetype != FORM:
        raise UnsupportedMediaType(f"The content type must be {FORM}.")
    fields, query = parse_fields(body), request.query_string.decode("ascii", "replace")
    # A proxy may have changed the address of the request; Twilio signs the public one.
    signed = f"{url}?{query}" if query else url
    if fields is None or not is_signed(token, signed, fields, request.headers.get("X-Twilio-Signature")):
        raise Unauthorized(f"The request is not signed with TWILIO_AUTH_TOKEN for {url}.")
    return fields
