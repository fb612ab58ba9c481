"""POST /webhook: authenticate, parse, commit, respond. No rule is evaluated, no network used before the response."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Request, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    ServiceUnavailable,
    Unauthorized,
    UnprocessableEntity,
)
from werkzeug.routing import BaseConverter

from webhooks import deferral as deferrals
from webhooks.deferral import Deferral
from webhooks.errors import StoreUnavailable
from webhooks.event import Event, Malformed, Unprocessable, parse
from webhooks.observability.logs import LogLimiter
from webhooks.observability.tracing import NO_SPAN, Span, event_span
from webhooks.problem import problem_of
from webhooks.request_body import read_body
from webhooks.webhook_url import is_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from webhooks.inbox import Receipt
    from webhooks.inbox.events.pending_receipt import PendingReceipt

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5

# Stores an event, and returns when it is on disk.
Receive = Callable[[Event], "Receipt"]
# Lets an event wait for its commit, and calls the function as soon as its receipt is known.
Begin = Callable[[Event, Callable[[], None]], "PendingReceipt"]
OnResponse = Callable[[str, int, float], None]

# The first bytes of a request for the receiver.
REQUEST_LINES = (b"POST /webhook/", b"POST /webhook?", b"POST /webhook ")

FROM_WEB_PAGE = "A web page in a browser sent this request. Without a WEBHOOK_TOKEN only programs may send events."


class Remainder(BaseConverter):
    """The rest of the path, also if it is empty or has slashes or line ends: every such path needs the token."""

    regex = "(?s:.*)"
    part_isolating = False


def create_blueprint(
    receive: Receive,
    begin: Begin,
    tokens: Sequence[str],
    on_unavailable: Callable[[], None] = lambda: None,
    on_response: OnResponse = lambda _name, _status, _seconds: None,
) -> Blueprint:
    """Return the blueprint of the receiver, which stores events and accepts these tokens.

    Events are stored with `receive`, or with `begin` if the server can send the response later.
    `on_unavailable` is called for each event that gets 503, and `on_response` for each response with its name
    (accepted, duplicate, test, empty, refused), its status and the seconds that it took; both must return at once.
    Tableau waits 3 s for a 200 and retries three times after any other response. It cannot sign requests, so the URL
    contains the secret. docs/http.md lists all responses.
    """
    blueprint = Blueprint("receiver", __name__)

    @blueprint.record_once
    def add_converter(state: BlueprintSetupState) -> None:
        state.app.url_map.converters["remainder"] = Remainder

    receiver = Receiver(receive, begin, tokens, on_unavailable, on_response)
    for path in ("/webhook", "/webhook/<remainder:token>"):
        blueprint.add_url_rule(
            path,
            "receive_event",
            receiver.receive_event,
            methods=["POST"],
            provide_automatic_options=False,
            merge_slashes=False,
        )
    blueprint.register_error_handler(HTTPException, receiver.refuse)
    return blueprint


class Receiver:
    """The view, and what it needs: where events are stored, and the tokens."""

    def __init__(
        self,
        receive: Receive,
        begin: Begin,
        tokens: Sequence[str],
        on_unavailable: Callable[[], None],
        on_response: OnResponse,
    ) -> None:
        self._on_unavailable, self._on_response = on_unavailable, on_response
        self._receive, self._begin = receive, begin
        self._authenticate, self._limiter = Authenticator(tokens), LogLimiter()
        self._open = not tokens

    def receive_event(self, token: str = "") -> Response:
        """Store the event and return 200 after the commit. Raises an HTTPException for every other response."""
        started = time.perf_counter()
        if not self._authenticate(token.strip("/") or request.args.get("token", "")):
            raise Unauthorized("The webhook token is wrong or missing.")
        if self._open and is_sent_by_web_page(request):
            raise Forbidden(FROM_WEB_PAGE)
        try:
            body = read_body(request)
            event = parse(body)
            if event is None:
                level = logging.DEBUG if "Heartbeat" in request.headers else logging.INFO
                text = "" if body else " (without a body)"
                log.log(level, "Test request received: peer=%s%s", request.remote_addr, text)
                self._on_response("test" if body else "empty", 200, time.perf_counter() - started)
                return respond('{"status": "test"}')
        except Malformed as error:
            raise BadRequest(str(error)) from error
        except Unprocessable as error:
            raise UnprocessableEntity(str(error)) from error
        deferral: Deferral | None = request.environ.get(deferrals.KEY)
        if deferral is None:
            since = time.perf_counter() - started
            with event_span("receive", event.fingerprint, "SERVER", since=since, event_type=event.event_type) as span:
                return respond(self._acknowledge(lambda: self._receive(event), started, request.remote_addr, span))
        pending, peer = self._begin(event, deferral.complete), request.remote_addr
        deferral.timeout = pending.timeout
        deferral.respond = later(lambda: self._acknowledge(pending.outcome, started, peer))
        return DEFERRED

    def _acknowledge(
        self, receive: Callable[[], Receipt], started: float, peer: str | None, span: Span = NO_SPAN
    ) -> str:
        """Return the document for an event that is stored. Raises ServiceUnavailable."""
        try:
            receipt = receive()
        except StoreUnavailable as error:
            # The inbox logs the beginning and the end of an outage.
            log.debug("Event not stored: %s", error)
            self._on_unavailable()
            raise ServiceUnavailable("The event cannot be stored now.", retry_after=RETRY_AFTER_SECONDS) from error
        status = "duplicate" if receipt.duplicate else "accepted"
        span.set(event=receipt.id, outcome=status)
        if receipt.duplicate:
            log.info("Duplicate received: event=%s peer=%s", receipt.id, peer)
        else:
            # A line for each event would take a sixth of the throughput; those of its jobs have its id.
            log.debug("Event received: event=%s peer=%s", receipt.id, peer)
        self._on_response(status, 200, time.perf_counter() - started)
        return f'{{"status": "{status}", "event": {receipt.id}}}'

    def refuse(self, error: HTTPException) -> Response:
        """Return the problem document, and log the refusal unless there were many of its status just now."""
        self._on_response("refused", error.code or 500, 0.0)
        suppressed = self._limiter.admit(str(error.code)) if error.code != ServiceUnavailable.code else None
        if suppressed is not None:
            more = f" ({suppressed} more since the last such line)" if suppressed else ""
            text = f"{error.description}{more}"
            log.warning("Request refused: status=%s peer=%s: %s", error.code, request.remote_addr, text)
        return problem_of(error)


class Deferred(Response):
    """The response of a view that has left the rest to the server: an empty body, and no call of `start_response`."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG002 - WSGI
        """Return the empty body."""
        return ()


# One for all: it is never changed.
DEFERRED = Deferred()


def later(acknowledge: Callable[[], str]) -> WSGIApplication:
    """Return the application that responds with a document, or to its exception; called outside the request."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - as Flask documents it

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            body = (acknowledge() + "\n").encode()
        except Exception as error:  # noqa: BLE001 - as Flask does with errors of views
            with app.request_context(environ):
                return app.make_response(app.handle_user_exception(error))(environ, start_response)
        # As `respond` does; Flask's response would take longer than all the rest of this.
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return (body,)

    return respond


class Authenticator:
    """Compares given tokens with the accepted ones in constant time; accepts every request if there are none."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]
        # A longer one is wrong; its first characters are enough to know that.
        self._longest = max(map(len, tokens), default=0) + 1

    def __call__(self, given: str) -> bool:
        """Return whether the token is accepted."""
        if not self._digests:
            return True
        digest = hashlib.sha256(given[: self._longest].encode("utf-8", "replace")).digest()
        # A list and not a generator: all comparisons run, also after the first match.
        return any([hmac.compare_digest(digest, accepted) for accepted in self._digests])  # noqa: C419


def is_sent_by_web_page(request: Request) -> bool:
    """Return whether a page of another origin sent the request, through the browser of someone who can reach us.

    Browsers add `Origin` to every such POST, and most of them `Sec-Fetch-Site`; programs send neither. See
    https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header. A page whose domain was made to resolve to this server
    (DNS rebinding) has our host as its origin, so an origin must also be an address or localhost.
    """
    if request.headers.get("Sec-Fetch-Site", "none").strip().lower() not in {"none", "same-origin"}:
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        parts = urlsplit(origin.strip())
        name = parts.hostname or ""
    except ValueError:
        return True
    return parts.netloc.lower() != request.headers.get("Host", "").lower() or not is_address(name)


def respond(document: str) -> Response:
    """Return a 200 with this JSON document."""
    return Response(document + "\n", content_type="application/json")
