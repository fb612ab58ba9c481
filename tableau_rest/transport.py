"""The one door to the network: timeouts, pool, user agent, repeats of what is safe, and errors of our own kind."""

from __future__ import annotations

import logging
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, BinaryIO, NamedTuple, NoReturn

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from tableau_rest import errors

log = logging.getLogger("tableau_rest")

TOKEN = "X-Tableau-Auth"  # noqa: S105  the name of a header
PAUSES = (0.2, 0.8)  # seconds before the second and the third try
_QUICK = 5.0  # seconds: what took longer to fail is left to the caller's own retries
_CONNECTIONS = 256  # kept for each host; worker threads beyond that open their own
_PASSING = {502, 503, 504}  # a gateway's words for "not now"
MAX_BODY = 64 * 1024 * 1024  # bytes held in memory; exports go to files and have no limit
_CHUNK = 64 * 1024


class Timeouts(NamedTuple):
    """How long to wait, in seconds: for a connection, for the next bytes, and for the whole answer."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0


CALL_TIMEOUTS = Timeouts()
EXPORT_TIMEOUTS = Timeouts(read=180.0, total=900.0)  # a dashboard may take minutes to draw before its first byte comes


class Request(NamedTuple):
    """A request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Response(NamedTuple):
    """A whole answer, read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream(NamedTuple):
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Transport:
    """Sends requests; thread-safe. `sleep` is called between repeats, with seconds."""

    def __init__(
        self, user_agent: str, *, verify: bool | str = True, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._session, self._verify, self._sleep = requests.Session(), verify, sleep
        self._user_agent = user_agent
        self._surroundings: dict[str, Mapping[str, object]] = {}
        # A shared cookie jar would let one thread's answer steer another thread's request.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Wakeful(pool_connections=8, pool_maxsize=_CONNECTIONS))

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
        """The whole response, whatever its status. Raises ConnectionFailed.

        `repeat`: safe to send twice (default: GET only).

        A body that was asked for goes `into` a file where one is given; after a repeat it holds the last try only.
        """
        repeat = method == "GET" if repeat is None else repeat
        outgoing = Request(method, url, headers, body)
        too_late = time.monotonic() + _QUICK
        for pause in PAUSES:
            try:
                answer = self._whole(outgoing, timeouts, into)
            except errors.ConnectionFailed as error:
                if not (error.again and (repeat or error.unsent)) or time.monotonic() > too_late:
                    raise
            else:
                if not (repeat and _passes(answer)) or time.monotonic() > too_late:
                    return answer
            self._sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311  spreads load, keeps no secret
        return self._whole(outgoing, timeouts, into)

    def _whole(self, outgoing: Request, timeouts: Timeouts, into: BinaryIO | None) -> Response:
        with self._open(outgoing, timeouts) as stream:
            if into is None or stream.status >= 300:
                return Response(stream.status, stream.headers, _in_memory(stream.chunks))
            into.seek(0)
            into.truncate()
            for chunk in stream.chunks:
                into.write(chunk)
            return Response(stream.status, stream.headers, b"")

    @contextmanager
    def _open(self, outgoing: Request, timeouts: Timeouts) -> Iterator[Stream]:
        """One try; the body is read as it comes, and the connection given back at the end. Raises ConnectionFailed."""
        started = time.monotonic()
        method, url = outgoing.method, outgoing.url
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate", **outgoing.headers}
        asked = requests.Request(method, url, headers=headers, data=outgoing.body)
        answer = None
        try:
            answer = self._session.send(
                asked.prepare(),
                stream=True,
                allow_redirects=False,
                timeout=(timeouts.connect, timeouts.read),
                **self._around(url),  # type: ignore[arg-type]
            )
            yield Stream(answer.status_code, answer.headers, _chunks(answer, started + timeouts.total))
        except (requests.RequestException, HTTPError) as exc:
            _no_answer(exc, url)
        finally:
            if answer is not None:
                answer.close()
            status = "no answer" if answer is None else answer.status_code
            log.debug("%s %s: %s in %.0f ms", method, _path(url), status, (time.monotonic() - started) * 1000)

    def _around(self, url: str) -> Mapping[str, object]:
        """Proxies and certificates of this machine's surroundings, looked up once for each host."""
        base = url[: url.find("/", 8)]
        found = self._surroundings.get(base)
        if found is None:
            settings = self._session.merge_environment_settings(base, {}, None, self._verify, None)
            found = self._surroundings[base] = {name: settings[name] for name in ("proxies", "verify", "cert")}
        return found

    def close(self) -> None:
        """Closes the idle connections."""
        self._session.close()


class _Wakeful(HTTPAdapter):
    """Keeps idle connections alive: a firewall that forgets one would cost the next call its whole timeouts."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        if hasattr(socket, "TCP_KEEPIDLE"):  # not everywhere; there the system's two hours have to do
            options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60))
        super().init_poolmanager(*args, socket_options=options, **kwargs)


def _passes(answer: Response) -> bool:
    """Is it likely to be gone in a second? Not where the server itself says how long it takes."""
    return answer.status in _PASSING and "Retry-After" not in answer.headers


def _in_memory(chunks: Iterator[bytes]) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            raise errors.InvalidResponse("Tableau's answer is larger than 64 MiB", permanent=True)
    return b"".join(parts)


def _chunks(answer: requests.Response, deadline: float) -> Iterator[bytes]:
    # What has arrived, not what fits: a server that sends a byte now and then must not outlast the deadline.
    while chunk := answer.raw.read1(_CHUNK, decode_content=True):
        yield chunk
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer as a whole took too long")


def _path(url: str) -> str:
    return url[url.find("/", 8) :].partition("?")[0]


SSL = requests.exceptions.SSLError


def _no_answer(exc: requests.RequestException | HTTPError, url: str) -> NoReturn:
    if isinstance(exc, requests.RequestException):
        exc.request = exc.response = None  # they carry the session token
    cause = exc.args[0] if exc.args else None
    cause = getattr(cause, "reason", cause)
    error = errors.ConnectionFailed(f"{url[: url.find('/', 8)]} {_what_happened(exc, cause)}")
    error.unsent = isinstance(cause, NewConnectionError | ConnectTimeoutError)
    error.again = not any(isinstance(one, requests.Timeout | ReadTimeoutError | SSL) for one in (exc, cause))
    error.advice = _TLS_ADVICE if isinstance(exc, SSL) else ""
    raise error from exc


_TLS_ADVICE = "verify= takes the file of your own certificates; a server without TLS must be written as http://…"
# The first that fits an exception or its cause; requests and urllib3 both have a say.
_HAPPENED: tuple[tuple[type[Exception], str], ...] = (
    (SSL, "has a certificate that is not trusted here, or speaks no TLS"),
    (requests.exceptions.ProxyError, "cannot be reached through the proxy"),
    (NewConnectionError, "cannot be reached"),
    (ConnectTimeoutError, "cannot be reached: timed out while connecting"),
    (requests.Timeout, "did not answer in time"),
    (ReadTimeoutError, "did not answer in time"),
)


def _what_happened(exc: Exception, cause: object) -> str:
    fitting = (said for kind, said in _HAPPENED if isinstance(exc, kind) or isinstance(cause, kind))
    # requests wraps what happens before the answer begins; while it is read, urllib3 speaks for itself.
    return next(fitting, "broke the answer off half-way" if isinstance(exc, HTTPError) else "broke the connection")


class RenewingSession(requests.Session):
    """A session for other libraries: when a token turns out dead, `renew(dead)` gives the one to try once more with."""

    def __init__(self, renew: Callable[[str], str]) -> None:
        super().__init__()
        self._renew = renew

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        answer = super().send(request, **kwargs)
        token = request.headers.get(TOKEN)
        if answer.status_code != 401 or not token:
            return answer
        again = request.copy()
        again.headers[TOKEN] = self._renew(token)
        answer.close()
        return super().send(again, **kwargs)
