"""POST /webhook: token, size, parse, keep, answer. No rule is evaluated and no network touched before the answer."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from webhooks import problem
from webhooks.errors import StoreUnavailable
from webhooks.event import MAX_BYTES, Malformed, Unprocessable, parse
from webhooks.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, before it is written to the wire."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=())
    detail: str = ""
    """What is wrong, for the log."""


class TooLarge(Exception):
    """The body is longer than any event."""


class Receiver:
    """A WSGI application of its own, in front of Flask's: nothing that pages need (sessions, hooks, routing) stands
    between an event and its acknowledgement (docs/decisions/003-receiver-before-flask.md).

    Tableau waits 3 s for a 200 and tries three times more for any other answer; it cannot sign, so the URL holds the
    secret. docs/http.md has the table of all answers.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            reply = self._reply(environ)
        except Exception as error:  # noqa: BLE001 — REFUSALS names what may be told, all else is logged
            reply = refusal(error)
            if reply.status < 500:
                sender = environ.get("REMOTE_ADDR")
                log.warning("Refused a request from %s with %d: %s", sender, reply.status, reply.detail)
        length = ("Content-Length", str(len(reply.body)))
        headers = [("Content-Type", reply.content_type), length, *reply.headers]
        start_response(f"{reply.status} {problem.title(reply.status)}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _reply(self, environ: WSGIEnvironment) -> Reply:
        if environ["REQUEST_METHOD"] != "POST":
            return refused(405, "Events come by POST.", ("Allow", "POST"))
        if not self._authorized(environ):
            log.warning("Refused a request from %s: wrong or missing token", environ.get("REMOTE_ADDR"))
            return refused(401, "The webhook token is wrong or missing.")
        event = parse(read_body(environ))
        if event is None:
            log.info("A test request from %s", environ.get("REMOTE_ADDR"))
            return accepted({"status": "test"})
        receipt = self._services.inbox.events.receive(event)
        self._services.start_worker()
        if receipt.duplicate:
            log.info("Event %s came again", receipt.id)
        return accepted({"status": "duplicate" if receipt.duplicate else "accepted", "event": receipt.id})

    def _authorized(self, environ: WSGIEnvironment) -> bool:
        """Whether the token is one of ours; takes as long for a near miss as for a far one."""
        tokens = self._services.tokens
        if not tokens:
            return True
        given = given_token(environ)
        # A list and not a generator: the second comparison runs also when the first has succeeded.
        return any([hmac.compare_digest(given, token) for token in tokens])  # noqa: C419


def given_token(environ: WSGIEnvironment) -> bytes:
    """The token in the path or in `?token=`; empty without one."""
    path = str(environ["PATH_INFO"]).strip("/")
    if path:
        # WSGI hands the path's bytes over as Latin-1, https://peps.python.org/pep-3333/#unicode-issues
        return path.encode("latin-1")
    query = parse_qs(str(environ.get("QUERY_STRING", "")), errors="surrogateescape")
    return query.get("token", [""])[0].encode("utf-8", "surrogateescape")


def read_body(environ: WSGIEnvironment) -> bytes:
    """The request's body. Raises TooLarge before or while reading too much, OSError when the client stops sending, and
    Malformed where its length or its chunks make no sense."""
    announced: str | None = environ.get("CONTENT_LENGTH") or None
    if announced is None:
        return _read_chunks(environ)
    if not announced.isdecimal():
        raise Malformed("Content-Length is not a number")
    length = int(announced)
    if length > MAX_BYTES:
        raise TooLarge
    body: bytes = environ["wsgi.input"].read(length)
    if len(body) < length:
        raise ConnectionAbortedError
    return body


def _read_chunks(environ: WSGIEnvironment) -> bytes:
    """A body without a length; only a server that marks its end can be read from."""
    if not environ.get("wsgi.input_terminated"):
        return b""
    try:
        body: bytes = environ["wsgi.input"].read(MAX_BYTES + 1)
    except OSError:
        raise
    except Exception as error:  # each server has types of its own for what is wrong with a chunk
        raise Malformed("the body's chunks are broken") from error
    if len(body) > MAX_BYTES:
        raise TooLarge
    return body


def accepted(body: dict[str, object]) -> Reply:
    return Reply(200, (json.dumps(body) + "\n").encode())


def refused(status: int, detail: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status, problem.problem(status, detail), problem.CONTENT_TYPE, headers, detail)


def _not_kept(error: Exception) -> Reply:
    # The inbox itself says once that it is away, and once that it is back.
    log.debug("An event could not be kept: %s", error)
    return refused(503, "The inbox cannot write now.", ("Retry-After", str(RETRY_AFTER_SECONDS)))


REFUSALS: dict[type[Exception], Callable[[Any], Reply]] = {
    Malformed: lambda error: refused(400, str(error)),
    Unprocessable: lambda error: refused(422, str(error)),
    TooLarge: lambda _: refused(413, f"Over {MAX_BYTES // 1024} KiB."),
    OSError: lambda _: refused(408, "The request stopped in the middle."),
    StoreUnavailable: _not_kept,
}
"""What each failure is to the sender."""


def refusal(error: Exception) -> Reply:
    """The answer for a failure; one that nobody foresaw is logged whole and told to nobody."""
    for kind, reply in REFUSALS.items():
        if isinstance(error, kind):
            return reply(error)
    log.error("Receiving failed", exc_info=error)
    return refused(500, "An error inside the server; its log has the details.")
