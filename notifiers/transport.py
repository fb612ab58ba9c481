"""The one door to the network: requests with time limits, our name, and every failure told as a NotifierError."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from notifiers.deadline import Deadline
from notifiers.errors import MASK, NotifierError, cause, hushed

TIMEOUT = (5, 10)  # seconds to connect, and between two reads
LONGEST = 30.0  # seconds for a request and its answer
LARGEST = 1024 * 1024  # bytes of an answer; Twilio's list of fifty messages has a twentieth of that
CHUNK = 64 * 1024
USER_AGENT = "tableau-webhooks"


MISCONFIGURED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    UnicodeError,
)


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def call(
    method: str,
    url: str,
    *,
    service: str,
    auth: tuple[str, str],
    form: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> Answer:
    """Ask once and give the answer, whatever its status.

    Raises NotifierError where there is none: an uncertain one if the request may have been received, a permanent one if
    the address cannot be one. `service` is the name to say; the second part of `auth` is kept secret.
    """
    try:
        # A session for one call: a kept connection that the server has just closed looks like a request that was lost.
        with (
            _session(time.monotonic() + LONGEST) as session,
            session.request(
                method,
                url,
                data=form,
                params=query,
                auth=auth,
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            content = _whole(response)
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
        raise hushed(_translated(error, service), [auth[1]]) from cause(error, [auth[1]])
    # An answer may quote the request.
    return Answer(response.status_code, response.headers, content.replace(auth[1].encode(), MASK.encode()))


def _session(until: float) -> requests.Session:
    session, adapter = requests.Session(), _Adapter(until)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Adapter(HTTPAdapter):
    """The way of requests to the wire, with connections that end."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = partial(_Secure if pool.scheme == "https" else _Plain, until=self._until)
        return pool


class _Plain(Deadline, HTTPConnection):
    """http://"""


class _Secure(Deadline, HTTPSConnection):
    """https://"""


def _whole(response: requests.Response) -> bytes:
    """The body, as it comes: a server that floods must not fill the memory."""
    content = b""
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        content += chunk
        if len(content) > LARGEST:
            raise requests.exceptions.ContentDecodingError("the answer is larger than 1 MiB")
    return content


def _translated(error: Exception, service: str) -> NotifierError:
    if isinstance(error, MISCONFIGURED):
        return NotifierError(f"{service} cannot be called: {error}", permanent=True)
    if not_sent(error):
        return NotifierError(f"{service} cannot be reached: {_reason(error)}", sent=False)
    return NotifierError(f"{service} did not answer: {_reason(error)}", uncertain=True)


def not_sent(error: Exception) -> bool:
    """Whether the error struck before the first byte of the request left; otherwise nobody can tell."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = _reason(error)
    if isinstance(error, requests.exceptions.SSLError):
        return any(isinstance(part, ssl.SSLCertVerificationError) for part in (reason, *reason.args))
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _reason(error: BaseException) -> BaseException:
    """The innermost error that says something; requests wraps urllib3's, which wraps the first."""
    inner = error.args[0] if error.args else None
    if isinstance(error, urllib3.exceptions.MaxRetryError):
        inner = error.reason
    return _reason(inner) if isinstance(inner, BaseException) else error
