"""Translate the exceptions of requests, urllib3 and ssl into ConnectionFailed with a cause and advice."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError

from tableau_rest import errors
from tableau_rest.protocol.redaction import redact
from tableau_rest.transport.exchange import Exchange

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
    _Cause((requests.Timeout, ReadTimeoutError, TimeoutError), "did not respond in time", False),
    _Cause(requests.RequestException, "closed the connection", True),
    _Cause(Exception, "closed the connection before the response was complete", True),
)


@contextmanager
def translated_errors(origin: str, state: Exchange) -> Iterator[None]:
    """Raise ConnectionFailed instead of an exception of the libraries; `unsent` says that the request has not left."""
    try:
        yield
    except (requests.RequestException, HTTPError) as error:
        if isinstance(error, requests.RequestException):
            error.request = error.response = None  # they hold the session token
        failure = _failure(error, origin)
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
