"""HTTP transport: timeouts, proxies, complete responses, and repeats of safe requests."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import requests

from tableau_rest import errors
from tableau_rest.forks import call_in_child
from tableau_rest.transport.adapter import mount
from tableau_rest.transport.exchange import exchange
from tableau_rest.transport.failures import translated_errors

log = logging.getLogger("tableau_rest")

TOKEN_HEADER = "X-Tableau-Auth"  # noqa: S105 - the name of a header
# Seconds before the second and the third attempt.
PAUSES = (0.2, 0.8)
# Seconds since the first attempt after which none is repeated; a slow failure is left to the caller's own retries.
_LAST_REPEAT = 5.0
# Statuses of a gateway while the server behind it restarts.
_GATEWAY_ERRORS = {502, 503, 504}
# Bytes of a response held in memory.
MAX_BODY = 64 * 1024 * 1024
# Bytes of a response written to a file. Tableau Cloud stores no workbook or data source larger than 15 GB.
# https://help.tableau.com/current/online/en-us/to_site_capacity.htm
MAX_FILE = 16 * 1024 * 1024 * 1024
_CHUNK = 64 * 1024


# Of the process that has forked this one.
_PARENT_SESSIONS: list[requests.Session] = []


class Timeouts(NamedTuple):
    """Limits in seconds: for connecting, for the next bytes of the response, and for the whole exchange."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0


CALL_TIMEOUTS = Timeouts()
# A dashboard may take minutes to render before the first byte arrives.
EXPORT_TIMEOUTS = Timeouts(read=180.0, total=900.0)


# Is entered for each request, with its method and its path without the query; yields a function that is called with the
# status of the response.
Observe = Callable[[str, str], AbstractContextManager[Callable[[int], object]]]


def not_observed(_method: str, _path: str) -> AbstractContextManager[Callable[[int], object]]:
    """Do nothing about a request."""
    return nullcontext(lambda _status: None)


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
    `verify` False disables all verification. `sleep` is called between repeats, with seconds. `observe` is
    entered for each request, for traces. Raises ValueError for a `ca_bundle` that cannot be read.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        ca_bundle: str = "",
        verify: bool = True,
        sleep: Callable[[float], object] = time.sleep,
        observe: Observe = not_observed,
    ) -> None:
        self._verify, self._sleep, self._ca_bundle = verify, sleep, ca_bundle
        self._user_agent, self._observe = user_agent, observe
        self._environments: dict[str, dict[str, Any]] = {}
        self._session: requests.Session | None = self._open_session()
        call_in_child(self._forget_session)

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
                error.repeatable = repeat
                if not (error.retry_at_once and (repeat or error.unsent)) or time.monotonic() > last_repeat:
                    raise
            else:
                # With Retry-After the server says itself how long it takes.
                passing = response.status in _GATEWAY_ERRORS and "Retry-After" not in response.headers
                if not (repeat and passing) or time.monotonic() > last_repeat:
                    return response
            self._sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load, protects no secret
        try:
            return self._attempt(request, timeouts, into)
        except errors.ConnectionFailed as error:
            error.repeatable = repeat
            raise

    def _attempt(self, request: Request, timeouts: Timeouts, into: BinaryIO | None) -> Response:
        started, status = time.monotonic(), "no response"
        origin, path = _origin_and_path(request.url)
        headers = {"Accept-Encoding": "gzip, deflate", **request.headers}
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.prepare_url(request.url, None)
        prepared.prepare_headers(headers)
        prepared.prepare_body(request.body, None)
        try:
            with (
                self._observe(request.method, path.partition("?")[0]) as respond,
                exchange(timeouts.total) as state,
                translated_errors(origin, state),
            ):
                # The session itself would share cookies among threads, parse the address of a redirect, which may be
                # invalid, and read its whole body, and it takes a tenth of the processor time of a call.
                received = (
                    self._pools()
                    .get_adapter(request.url)
                    .send(prepared, stream=True, timeout=(timeouts.connect, timeouts.read), **self._environment(origin))
                )
                with closing(received):
                    status = str(received.status_code)
                    respond(received.status_code)
                    return _read(received, into if received.status_code < 300 else None)
        finally:
            shown, seconds = path.partition("?")[0], time.monotonic() - started
            log.debug("%s %s: %s in %.0f ms", request.method, shown, status, seconds * 1000)

    def _environment(self, origin: str) -> dict[str, Any]:
        """Return the proxies and certificates that the environment sets for the origin; read once for each."""
        found = self._environments.get(origin)
        if found is None:
            merged = self._pools().merge_environment_settings(origin, {}, None, self._verify, None)
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
        if self._session is not None:
            self._session.close()

    def _pools(self) -> requests.Session:
        session = self._session = self._session or self._open_session()
        return session

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        mount(session, self._ca_bundle)
        return session

    def _forget_session(self) -> None:
        """Use none of the parent's connections: two processes on one would mix their requests.

        They are neither closed nor freed, because another thread may have held their locks.
        """
        if self._session is not None:
            _PARENT_SESSIONS.append(self._session)
        self._session = None


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


def _origin_and_path(url: str) -> tuple[str, str]:
    end = url.find("/", 8)
    return url[:end], url[end:]


class RenewingSession(requests.Session):
    """A session for other libraries that repeats a call once with another token after a 401.

    `renew(method, url, token)` returns the token to use instead, or None if the call is not to be repeated;
    `refused(method, url)` is called if the repeated call got 401 as well. The token is sent to the origin
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
        mount(self, ca_bundle)
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
