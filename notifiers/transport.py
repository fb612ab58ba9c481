"""HTTP for all notifiers: one request, a total time limit, and errors that say whether the request was sent.

The connection is opened before the request is written, and the request is written before the response is read, so
which of the three failed is known without looking at the kind of error: a request that was not written completely has
not been carried out; once it was, a missing response says nothing. See docs/decisions/012-deadlines.md.
"""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead, InvalidURL
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from notifiers import deadline
from notifiers.address_guard import AddressGuard
from notifiers.errors import MASK, NotifierError, redact, safe_cause
from notifiers.idle_connections import IdleConnections, Place
from notifiers.proxies import Proxies
from notifiers.tls import make_context

USER_AGENT = "tableau-webhooks"
# Bytes of a response; Twilio's list of fifty messages has a twentieth of that.
LARGEST = 1024 * 1024
# Bytes of a proxy's response to CONNECT.
LARGEST_HEAD = 64 * 1024
PORTS = {"http": 80, "https": 443}


class Timeouts(NamedTuple):
    """Time limits in seconds: to connect to one address, for each step on the wire, and for the whole call."""

    connect: float = 5.0
    step: float = 10.0
    total: float = 30.0


CALL_TIMEOUTS = Timeouts()


@dataclass(frozen=True)
class Request:
    """An HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    # Bytes of the longest response that is read.
    largest: int = LARGEST
    # Whether the request may be carried out twice.
    repeatable: bool = False


@dataclass(frozen=True)
class Response:
    """An HTTP response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one if it is none. Lone surrogates are replaced."""
        try:
            value = json.loads(self.body)
            if b"\\u" in self.body:
                # A lone surrogate is not a character; neither a database nor a log can take it.
                value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Transport:
    """Sends requests to one service. Thread-safe.

    Each request has its own connection, unless `keep_seconds` says how long one is used again after its last response.
    A service can close it just when the next request is written, which looks like a lost response, so this must be far
    shorter than the time after which the service closes idle connections. See docs/decisions/038-kept-connections.md.

    `ca_bundle` names a file of certificates that are trusted beside the usual ones. `secrets` are masked in responses
    and errors. `guard` decides which addresses may be connected to; a name is resolved once, so that the address that
    was checked is the one that is connected to.
    """

    def __init__(
        self,
        service: str,
        *,
        secrets: Iterable[str] = (),
        ca_bundle: str = "",
        guard: AddressGuard | None = None,
        keep_seconds: float = 0.0,
    ) -> None:
        self._service = service
        self._guard = guard
        self._keeps = keep_seconds > 0
        self._idle: IdleConnections[Connection] = IdleConnections(keep_seconds)
        self._proxies = Proxies()
        self._secrets = [secret for secret in secrets if secret]
        self._ca_bundle = ca_bundle

    def send(self, request: Request, timeouts: Timeouts | None = None) -> Response:
        """Send the request once, follow no redirect, and return the response, whatever its status.

        A repeatable one is sent again if a connection that was kept ends without a response.

        Raises a permanent NotifierError for an invalid URL, one with `sent` False where the request surely was not
        received, and an uncertain one where it was sent and no complete response came back.
        """
        url, limits = self._parsed(request.url), timeouts or CALL_TIMEOUTS
        proxy = self._proxies.find(url)
        place = (url.scheme, url.netloc, proxy.geturl() if proxy else "")
        with deadline.time_limit(limits.total):
            kept = self._idle.take(place)
            if kept is not None:
                try:
                    return self._exchange(kept, place, request, url, limits)
                except NotifierError as error:
                    # The service has closed it, and not received the request; or perhaps it has.
                    closed = isinstance(error.__cause__, ConnectionError)
                    if error.sent is not False and not (closed and request.repeatable):
                        raise
            return self._exchange(self._connection(url, proxy, limits), place, request, url, limits)

    def _exchange(
        self, connection: Connection, place: Place, request: Request, url: SplitResult, limits: Timeouts
    ) -> Response:
        """Send the request on a new connection, or on one that was kept, and return the response."""
        sent = complete = False
        try:
            connection.open(limits)
            # A server that refuses early may stop reading; its response says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                target = request.url if connection.by_proxy else _origin_form(url)
                connection.request(request.method, target, request.body, self._headers(request, connection))
                sent = True
            with connection.getresponse() as response:
                body = _read(response, request.largest)
            complete = sent
        except (OSError, HTTPException, ValueError) as error:
            raise self._error(error, sent=sent) from safe_cause(error, self._secrets)
        finally:
            # The library has closed a connection that the service does not keep open.
            if complete and connection.sock is not None:
                self._idle.put(place, connection)
            else:
                connection.close()
        for secret in self._secrets:
            body = body.replace(secret.encode(), MASK.encode())
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, body)

    def _parsed(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            _ = parts.port
            (parts.hostname or "").encode("idna")
            _origin_form(parts).encode("ascii")
        except ValueError as error:
            raise self._misconfigured(str(error)) from safe_cause(error, self._secrets)
        if parts.scheme not in PORTS or not parts.hostname:
            raise self._misconfigured(f"{url} is not an http:// or https:// address")
        return parts

    def _connection(self, url: SplitResult, proxy: SplitResult | None, timeouts: Timeouts) -> Connection:
        if proxy and (proxy.scheme != "http" or not proxy.hostname):
            raise self._misconfigured(f"the proxy for {url.hostname} is not an http:// address ({proxy.scheme}://…)")
        guard = self._guard if self._guard and not self._guard.exempts(url.hostname or "") else None
        tls = self._tls if url.scheme == "https" else None
        try:
            return Connection(url, proxy, tls, timeouts, guard)
        except InvalidURL as error:
            raise self._misconfigured(str(error)) from safe_cause(error, self._secrets)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        try:
            return make_context(self._ca_bundle)
        except OSError as error:
            raise self._misconfigured(f"the CA bundle {self._ca_bundle} is not readable: {error}") from error

    def _headers(self, request: Request, connection: Connection) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if not self._keeps:
            headers["Connection"] = "close"
        if connection.by_proxy:
            headers |= connection.proxy_headers
        return headers | dict(request.headers)

    def _misconfigured(self, reason: str) -> NotifierError:
        words = redact(f"{self._service} cannot be called: {reason}", self._secrets)
        return NotifierError(words, permanent=True, sent=False)

    def _error(self, error: Exception, *, sent: bool) -> NotifierError:
        if isinstance(error, InvalidURL) or not isinstance(error, OSError | HTTPException):
            return self._misconfigured(str(error))
        reason = redact(str(error) or type(error).__name__, self._secrets)
        if sent:
            return NotifierError(f"{self._service} did not respond: {reason}", uncertain=True)
        advice = ""
        if isinstance(error, ssl.SSLCertVerificationError):
            advice = "; if a proxy of your network opens TLS, set CA_BUNDLE to the file with its certificate"
        return NotifierError(f"{self._service} cannot be reached: {reason}{advice}", sent=False)


class Connection(HTTPConnection):
    """A connection to `url`, through a proxy where one is given, that obeys the time limit of its thread."""

    def __init__(
        self,
        url: SplitResult,
        proxy: SplitResult | None,
        tls: ssl.SSLContext | None,
        timeouts: Timeouts,
        guard: AddressGuard | None = None,
    ) -> None:
        self._target = (url.hostname or "", url.port or PORTS[url.scheme])
        super().__init__(*self._target, timeout=timeouts.connect)
        self.default_port = PORTS[url.scheme]
        self._proxy, self._tls, self._timeouts, self._guard = proxy, tls, timeouts, guard

    @property
    def by_proxy(self) -> bool:
        """True if the proxy reads the request; through a tunnel it does not."""
        return self._proxy is not None and self._tls is None

    @property
    def proxy_headers(self) -> dict[str, str]:
        """The credentials for the proxy, from its address."""
        if self._proxy is None or self._proxy.username is None:
            return {}
        user = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
        return {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}

    def open(self, timeouts: Timeouts) -> None:
        """Connect unless the connection was kept, and limit each step on it. Raises OSError."""
        if self.sock is None:
            self.connect()
        else:
            self.sock.settimeout(timeouts.step)

    def connect(self) -> None:
        """Open the connection, with its tunnel and its TLS. Raises OSError."""
        host, port = self._target
        permit: Callable[[str], object] = partial(self._guard.check, host) if self._guard else str
        tunnel_to = host
        if self._proxy:
            if self._guard:
                # The proxy would resolve the name itself.
                found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
                for address in found:
                    permit(address)
                tunnel_to, permit = found[0], str
            host, port = self._proxy.hostname or "", self._proxy.port or PORTS["http"]
        self.sock = connection = deadline.connect(host, port, self._timeouts.connect, permit)
        connection.settimeout(self._timeouts.step)
        if self._tls:
            if self._proxy:
                self._open_tunnel(connection, tunnel_to)
            self.sock = self._tls.wrap_socket(connection, server_hostname=self._target[0])

    def _open_tunnel(self, connection: deadline.LimitedSocket, host: str) -> None:
        """Ask the proxy for a tunnel to the host: https://www.rfc-editor.org/rfc/rfc9110#CONNECT."""
        host = host.encode("idna").decode()
        authority = f"[{host}]:{self._target[1]}" if ":" in host else f"{host}:{self._target[1]}"
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.proxy_headers.items())
        connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{headers}\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            # The server speaks only after the client, so nothing of its TLS can be among these bytes.
            piece = connection.recv(4096)
            head += piece
            if not piece or len(head) > LARGEST_HEAD:
                raise OSError("the proxy did not open a tunnel")
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if not status.startswith("HTTP/1.") or status.split()[1:2] != ["200"]:
            raise OSError(f"the proxy did not open a tunnel: {status}")


def basic_auth(user: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic authentication."""
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def _origin_form(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _read(response: HTTPResponse, largest: int) -> bytes:
    """Return the whole body; a server that floods must not fill the memory."""
    body = response.read(largest + 1)
    if len(body) > largest:
        raise HTTPException(f"the response is larger than {largest // 1024**2} MiB")
    if response.length:
        raise IncompleteRead(body, response.length)
    return body
