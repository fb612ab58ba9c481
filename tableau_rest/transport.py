"""HTTP transport: timeouts, connection pool, proxies, certificates, repeats of safe requests, and typed errors."""

from __future__ import annotations

import logging
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError
from urllib3.poolmanager import PoolManager, ProxyManager

from tableau_rest import errors
from tableau_rest.exchange import DeadlineConnection, Exchange, exchange
from tableau_rest.protocol.redaction import redact

log = logging.getLogger("tableau_rest")

TOKEN_HEADER = "X-Tableau-Auth"  # noqa: S105 - the name of a header
# Seconds before the second and the third attempt.
PAUSES = (0.2, 0.8)
# Seconds since the first attempt after which none is repeated; a slow failure is left to the caller's own retries.
_LAST_REPEAT = 5.0
# Idle connections kept for each host; further threads open additional connections.
_CONNECTIONS = 256
# Statuses of a gateway while the server behind it restarts.
_GATEWAY_ERRORS = {502, 503, 504}
# Bytes of a response held in memory.
MAX_BODY = 64 * 1024 * 1024
# Bytes of a response written to a file. Tableau Cloud stores no workbook or data source larger than 15 GB.
# https://help.tableau.com/current/online/en-us/to_site_capacity.htm
MAX_FILE = 16 * 1024 * 1024 * 1024
_CHUNK = 64 * 1024


class Timeouts(NamedTuple):
    """Limits in seconds: for connecting, for the next bytes of the response, and for the whole exchange."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0


CALL_TIMEOUTS = Timeouts()
# A dashboard may take minutes to render before the first byte arrives.
EXPORT_TIMEOUTS = Timeouts(read=180.0, total=900.0)


class Request(NamedTuple):
    """A request to send."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Response(NamedTuple):
    """A response that was received completely. `body` is empty if it was written to a file."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests; thread-safe.

    `ca_bundle` is a file or directory of certificate authorities that are trusted in addition to the usual ones;
    `verify` False disables all verification. `sleep` is called between repeats, with seconds. Raises ValueError for a
    `ca_bundle` that cannot be read.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        ca_bundle: str = "",
        verify: bool = True,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._session, self._verify, self._sleep = _Session(), verify, sleep
        self._user_agent = user_agent
        self._environments: dict[str, dict[str, Any]] = {}
        # In a shared cookie jar one thread's response could change another thread's request.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        _mount(self._session, ca_bundle)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        repeat: bool | None = None,
        timeouts: Timeouts = CALL_TIMEOUTS,
        into: BinaryIO | None = None,
    ) -> Response:
        """Return the complete response, whatever its status. Raises ConnectionFailed or InvalidResponse.

        `repeat` says that the request may be sent twice (default: GET only). The body of a success is written `into`
        the file if one is given; it then holds the last attempt only.
        """
        request = Request(method, url, {"User-Agent": self._user_agent, **headers}, body)
        repeat = method == "GET" if repeat is None else repeat
        last_repeat = time.monotonic() + _LAST_REPEAT
        for pause in PAUSES:
            try:
                response = self._attempt(request, timeouts, into)
            except errors.ConnectionFailed as error:
                if not (error.retry_at_once and (repeat or error.unsent)) or time.monotonic() > last_repeat:
                    raise
            else:
                # With Retry-After the server says itself how long it takes.
                passing = response.status in _GATEWAY_ERRORS and "Retry-After" not in response.headers
                if not (repeat and passing) or time.monotonic() > last_repeat:
                    return response
            self._sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load, protects no secret
        return self._attempt(request, timeouts, into)

    def _attempt(self, request: Request, timeouts: Timeouts, into: BinaryIO | None) -> Response:
        started, status = time.monotonic(), "no response"
        headers = {"Accept-Encoding": "gzip, deflate", **request.headers}
        prepared = requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()
        try:
            with exchange(timeouts.total) as state, _translated_errors(request.url, state):
                received = self._session.send(
                    prepared,
                    stream=True,
                    allow_redirects=False,
                    timeout=(timeouts.connect, timeouts.read),
                    **self._environment(request.url),
                )
                with closing(received):
                    status = str(received.status_code)
                    return _read(received, into if received.status_code < 300 else None)
        finally:
            path = _origin_and_path(request.url)[1].partition("?")[0]
            log.debug("%s %s: %s in %.0f ms", request.method, path, status, (time.monotonic() - started) * 1000)

    def _environment(self, url: str) -> dict[str, Any]:
        """Return the proxies and certificates that the environment sets for the URL's origin; read once for each."""
        origin = _origin_and_path(url)[0]
        found = self._environments.get(origin)
        if found is None:
            merged = self._session.merge_environment_settings(origin, {}, None, self._verify, None)
            bundle = merged["verify"]
            if isinstance(bundle, str) and not Path(bundle).exists():
                advice = "Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, whichever names it."
                error = errors.ConnectionFailed(f"No such file of certificate authorities: {bundle}", advice=advice)
                error.unsent, error.retry_at_once = True, False
                raise error
            found = self._environments[origin] = {name: merged[name] for name in ("proxies", "verify", "cert")}
        return found

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()


def _read(received: requests.Response, into: BinaryIO | None) -> Response:
    parts: list[bytes] = []
    size, limit = 0, MAX_BODY if into is None else MAX_FILE
    if into is not None:
        into.seek(0)
        into.truncate()
    # read1 returns the bytes that have arrived, and unpacks at most as many as requested.
    while chunk := received.raw.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > limit:
            raise errors.InvalidResponse(f"Tableau's response is larger than {limit // 2**20} MiB", permanent=True)
        if into is None:
            parts.append(chunk)
        else:
            into.write(chunk)
    has_end = "Content-Length" in received.headers or "Transfer-Encoding" in received.headers
    if not size and not has_end and received.status_code == 200:  # the head itself was cut off
        raise requests.ConnectionError("the response ended in its head")
    return Response(received.status_code, received.headers, b"".join(parts))


class _HTTPConnection(DeadlineConnection, HTTPConnection):
    """A plain connection with a deadline."""


class _HTTPSConnection(DeadlineConnection, HTTPSConnection):
    """A TLS connection with a deadline."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    """Connections with a deadline, kept alive: a firewall that drops an idle one would cost the next call a timeout."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(pool_connections=8, pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        if hasattr(socket, "TCP_KEEPIDLE"):  # without it the system's own interval applies, often two hours
            options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60))
        super().init_poolmanager(*args, socket_options=options, ssl_context=self._tls, **kwargs)
        _use_deadlines(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, ssl_context=self._tls, **kwargs)
        if isinstance(manager, ProxyManager):  # that of a SOCKS proxy has other pools
            _use_deadlines(manager)
        return manager


def _mount(session: requests.Session, ca_bundle: str) -> None:
    """Let a session use connections with a deadline, and trust further certificate authorities."""
    tls = None
    if ca_bundle:
        is_folder = Path(ca_bundle).is_dir()
        try:
            tls = ssl.create_default_context(
                cafile=None if is_folder else ca_bundle, capath=ca_bundle if is_folder else None
            )
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(f"cannot read certificate authorities from {ca_bundle!r}: {error}") from None
        # Python 3.13 refuses certificates without key identifiers, which private authorities often issue:
        # https://docs.python.org/3/library/ssl.html#ssl.create_default_context
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(tls))


def _use_deadlines(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


def _origin_and_path(url: str) -> tuple[str, str]:
    end = url.find("/", 8)
    return url[:end], url[end:]


_CA_ADVICE = (
    "If a private certificate authority signed it, or a proxy opens TLS, trust that authority: CA_BUNDLE names its file"
    " (in Python: ca_bundle=)."
)
_TLS_ADVICE = "The address of a server without TLS must begin with http://."


class _Cause(NamedTuple):
    """A kind of failure: the exceptions that show it, its text, whether another attempt at once may help, advice."""

    kinds: type[Exception] | tuple[type[Exception], ...]
    text: str
    retry_at_once: bool
    advice: str = ""


# The first that fits decides. requests wraps what happens before the body; while it is read, urllib3 raises itself.
_CAUSES = (
    _Cause(ssl.SSLCertVerificationError, "has a certificate that is not trusted here", False, _CA_ADVICE),
    _Cause((ssl.SSLEOFError, ssl.SSLZeroReturnError), "closed the connection during TLS", True),
    _Cause(ssl.SSLError, "does not speak TLS as expected", False, _TLS_ADVICE),
    _Cause(requests.exceptions.SSLError, "has a certificate that cannot be verified", False, _CA_ADVICE),
    _Cause(requests.exceptions.ProxyError, "cannot be reached through the proxy", True),
    _Cause(NameResolutionError, "cannot be reached: the host name does not resolve", True),
    _Cause(NewConnectionError, "cannot be reached", True),
    _Cause(ConnectTimeoutError, "cannot be reached: timed out while connecting", False),
    _Cause((requests.Timeout, ReadTimeoutError, TimeoutError), "did not answer in time", False),
    _Cause(requests.RequestException, "closed the connection", True),
    _Cause(Exception, "closed the connection before the response was complete", True),
)


@contextmanager
def _translated_errors(url: str, state: Exchange) -> Iterator[None]:
    try:
        yield
    except (requests.RequestException, HTTPError) as error:
        if isinstance(error, requests.RequestException):
            error.request = error.response = None  # they hold the session token
        failure = _failure(error, _origin_and_path(url)[0])
        failure.unsent = not state.sent
        raise failure from error


def _failure(error: Exception, origin: str) -> errors.ConnectionFailed:
    chain = list(_chain(error))
    cause = next(cause for cause in _CAUSES if any(isinstance(one, cause.kinds) for one in chain))
    # The system's own words are needed to correct certificates and proxies: "self-signed certificate", "407 …".
    shown = next((one for one in chain if isinstance(one, ssl.SSLError) or type(one) is OSError), None)
    detail = "" if shown is None else getattr(shown, "verify_message", "") or str(shown)
    failure = errors.ConnectionFailed(f"{origin} {cause.text}", detail=redact(detail[:200]), advice=cause.advice)
    failure.retry_at_once = cause.retry_at_once
    return failure


def _chain(error: object) -> Iterator[Exception]:
    """Yield the error and those it was made from."""
    seen: list[object] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Exception) and one not in seen:
            seen.append(one)
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


class _Session(requests.Session):
    """A session that leaves redirects alone.

    Even if it is not to follow one, requests parses its address, which may be invalid, and reads its whole body.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature is that of requests
        return None


class RenewingSession(requests.Session):
    """A session for other libraries that repeats a call once with another token after a 401.

    `renew(method, url, token)` returns the token to use instead, or None if the call is not to be repeated;
    `refused(method, url)` is called if the repeated call was answered with 401 as well. The token is sent to the origin
    `server` only, whatever redirects the library follows.
    """

    def __init__(
        self,
        server: str,
        renew: Callable[[str, str, str], str | None],
        refused: Callable[[str, str], object],
        *,
        ca_bundle: str = "",
    ) -> None:
        super().__init__()
        _mount(self, ca_bundle)
        self._server, self._renew, self._refused = server, renew, refused

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        method, url = request.method or "", request.url or ""
        if _origin_and_path(url)[0] != self._server:
            request.headers.pop(TOKEN_HEADER, None)
        response = super().send(request, **kwargs)
        token = request.headers.get(TOKEN_HEADER)
        renewed = self._renew(method, url, token) if response.status_code == 401 and token else None
        if renewed is None:
            return response
        repeated = request.copy()
        repeated.headers[TOKEN_HEADER] = renewed
        response.close()
        response = super().send(repeated, **kwargs)
        if response.status_code == 401:
            self._refused(method, url)
        return response
