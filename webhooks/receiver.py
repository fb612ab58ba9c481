"""POST /webhook: authenticate, parse, commit, respond. No rule is evaluated, no network used before the response."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    Forbidden,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    ServiceUnavailable,
    Unauthorized,
    UnprocessableEntity,
    UnsupportedMediaType,
)
from werkzeug.routing import BaseConverter

from webhooks.errors import StoreUnavailable
from webhooks.event import MAX_BYTES, Event, Malformed, Unprocessable, parse
from webhooks.observability.logs import LogLimiter
from webhooks.observability.tracing import event_span
from webhooks.problem import problem_of
from webhooks.webhook_url import is_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from webhooks.inbox import Receipt

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
# The window size that zlib takes for each coding, https://docs.python.org/3/library/zlib.html#zlib.decompress.
# "deflate" is zlib's format, https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2
WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


Receive = Callable[[Event], "Receipt"]
OnResponse = Callable[[str, int, float], None]

FROM_WEB_PAGE = "A web page in a browser sent this request. Without a WEBHOOK_TOKEN only programs may send events."
TOO_LARGE = f"The body exceeds {MAX_BYTES // 1024} KiB."


class UnsupportedEncoding(UnsupportedMediaType):
    """415 with the accepted codings, https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16."""

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers of the response."""
        return [*super().get_headers(environ, scope), ("Accept-Encoding", "gzip, deflate")]


class Remainder(BaseConverter):
    """The rest of the path, also if it is empty or has slashes or line ends: every such path needs the token."""

    regex = "(?s:.*)"
    part_isolating = False


def create_blueprint(
    receive: Receive,
    tokens: Sequence[str],
    on_unavailable: Callable[[], None] = lambda: None,
    on_response: OnResponse = lambda _name, _status, _seconds: None,
) -> Blueprint:
    """Return the blueprint of the receiver, which stores events with `receive` and accepts these tokens.

    `on_unavailable` is called for each event that gets 503, and `on_response` for each response with its name
    (accepted, duplicate, test, refused), its status and the seconds that it took; both must return at once.
    Tableau waits 3 s for a 200 and retries three times after any other response. It cannot sign requests, so the URL
    contains the secret. docs/http.md lists all responses.
    """
    blueprint = Blueprint("receiver", __name__)

    @blueprint.record_once
    def add_converter(state: BlueprintSetupState) -> None:
        state.app.url_map.converters["remainder"] = Remainder

    receiver = Receiver(receive, tokens, on_unavailable, on_response)
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
        self, receive: Receive, tokens: Sequence[str], on_unavailable: Callable[[], None], on_response: OnResponse
    ) -> None:
        self._on_unavailable, self._on_response = on_unavailable, on_response
        self._receive, self._authenticate, self._limiter = receive, Authenticator(tokens), LogLimiter()
        self._open = not tokens

    def receive_event(self, token: str = "") -> Response:
        """Store the event and return 200 after the commit. Raises an HTTPException for every other response."""
        started = time.perf_counter()
        if not self._authenticate(token.strip("/") or request.args.get("token", "")):
            raise Unauthorized("The webhook token is wrong or missing.")
        if self._open and is_sent_by_web_page(request):
            raise Forbidden(FROM_WEB_PAGE)
        try:
            event = parse(read_body(request))
            if event is None:
                level = logging.DEBUG if "Heartbeat" in request.headers else logging.INFO
                log.log(level, "Test request received: peer=%s", request.remote_addr)
                self._on_response("test", 200, time.perf_counter() - started)
                return respond('{"status": "test"}')
            since = time.perf_counter() - started
            with event_span("receive", event.fingerprint, "SERVER", since=since, event_type=event.event_type) as span:
                receipt = self._receive(event)
                status = "duplicate" if receipt.duplicate else "accepted"
                span.set(event=receipt.id, outcome=status)
        except Malformed as error:
            raise BadRequest(str(error)) from error
        except Unprocessable as error:
            raise UnprocessableEntity(str(error)) from error
        except StoreUnavailable as error:
            # The inbox logs the beginning and the end of an outage.
            log.debug("Event not stored: %s", error)
            self._on_unavailable()
            raise ServiceUnavailable("The event cannot be stored now.", retry_after=RETRY_AFTER_SECONDS) from error
        if receipt.duplicate:
            log.info("Duplicate received: event=%s peer=%s", receipt.id, request.remote_addr)
        else:
            # A line for each event would take a sixth of the throughput; those of its jobs have its id.
            log.debug("Event received: event=%s peer=%s", receipt.id, request.remote_addr)
        self._on_response(status, 200, time.perf_counter() - started)
        return respond(f'{{"status": "{status}", "event": {receipt.id}}}')

    def refuse(self, error: HTTPException) -> Response:
        """Return the problem document, and log the refusal unless there were many of its status just now."""
        self._on_response("refused", error.code or 500, 0.0)
        suppressed = self._limiter.admit(str(error.code)) if error.code != ServiceUnavailable.code else None
        if suppressed is not None:
            more = f" ({suppressed} more since the last such line)" if suppressed else ""
            text = f"{error.description}{more}"
            log.warning("Request refused: status=%s peer=%s: %s", error.code, request.remote_addr, text)
        return problem_of(error)


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


def read_body(request: Request) -> bytes:
    """Return the request's body, decompressed.

    Raises UnsupportedEncoding, RequestEntityTooLarge, RequestTimeout if it ends early, and BadRequest.
    """
    environ = request.environ
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding not in {"", "identity", *WINDOW_BITS}:
        raise UnsupportedEncoding("The content encoding is not supported; send JSON as it is, or with gzip or deflate.")
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced and not announced.isdecimal():
        raise BadRequest("Content-Length is not a number.")
    try:
        if announced and int(announced) <= MAX_BYTES:
            # Flask's stream checks each read against the limit, for the price of parsing the event.
            body: bytes = environ["wsgi.input"].read(int(announced))
        else:
            # Raises RequestEntityTooLarge if Content-Length exceeds MAX_CONTENT_LENGTH.
            body = request.get_data(cache=False)
            # Without Content-Length, Werkzeug stops reading at the limit without an error.
            if len(body) >= MAX_BYTES and environ["wsgi.input"].read(1):
                raise RequestEntityTooLarge  # noqa: TRY301 - handled like Werkzeug's own
    except RequestEntityTooLarge as error:
        raise RequestEntityTooLarge(TOO_LARGE) from error
    except (ClientDisconnected, OSError) as error:
        raise RequestTimeout("The body ended early.") from error
    except Exception as error:
        # Each server has its own exceptions for invalid chunks.
        raise BadRequest("The body's chunks are invalid.") from error
    if announced and len(body) < int(announced):
        raise RequestTimeout("The body ended early.")
    return decompress(body, coding) if coding in WINDOW_BITS else body


def decompress(body: bytes, coding: str) -> bytes:
    """Return the decompressed body. Raises RequestEntityTooLarge before it exceeds the limit, and BadRequest."""
    decompressor = zlib.decompressobj(WINDOW_BITS[coding])
    try:
        decompressed = decompressor.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise BadRequest(f"The body is not {coding}, as Content-Encoding says.") from error
    if len(decompressed) > MAX_BYTES:
        raise RequestEntityTooLarge(TOO_LARGE)
    if not decompressor.eof or decompressor.unused_data:
        raise BadRequest(f"The {coding} body is incomplete, or something follows it.")
    return decompressed


def respond(document: str) -> Response:
    """Return a 200 with this JSON document."""
    return Response(document + "\n", content_type="application/json")
