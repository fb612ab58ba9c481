"""Turn Apprise's outcomes into errors. Apprise says why in log lines only. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from notifiers.errors import NotifierError, rate_limited_until

# Example: Failed to send JSON POST notification: Page not found., error=404.
STATUS = re.compile(r"\berror=(\d{3})\.?$")
# The start of the line with the exception of requests, or of the socket.
EXCEPTION = "Socket Exception:"
# Parts of the exceptions of a connection that could not be opened. A peer that hangs up while TLS is established is
# SSLZeroReturnError before Python 3.12, and SSLEOFError since.
UNSENT = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError|CERTIFICATE_VERIFY_FAILED"
    r"|WRONG_VERSION_NUMBER|HANDSHAKE|SSLEOFError|SSLZeroReturnError|Connection refused|Name or service not known"
    r"|No route to host|Network is unreachable|nodename nor servname|Temporary failure in name resolution"
)
GATEWAY_TIMEOUT = 504


@dataclass(frozen=True)
class Failure:
    """A service that did not accept the message. `status` is its HTTP status, where there was one."""

    name: str
    position: int
    status: int | None = None
    sent: bool = True

    @property
    def permanent(self) -> bool:
        """True if the service understood and refused the request."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in (408, 429)

    @property
    def uncertain(self) -> bool:
        """True if the message may have arrived."""
        return self.sent and (self.status is None or self.status == GATEWAY_TIMEOUT)

    def __str__(self) -> str:
        no_status = "no response" if self.sent else "cannot be reached"
        reason = f"status {self.status}" if self.status else no_status
        return f"{self.name} (address {self.position} of APPRISE_URLS): {reason}"


def failure(name: str, position: int, lines: Iterable[str]) -> Failure:
    """Return why a service failed, from the lines that Apprise has logged for it."""
    status, sent = None, True
    for line in lines:
        if match := STATUS.search(line):
            status = int(match[1])
        if line.startswith(EXCEPTION) and UNSENT.search(line):
            sent = False
    return Failure(name, position, status, sent)


def error_of(failures: list[Failure], *, delivered: bool, now: datetime) -> NotifierError:
    """Return the error for the services that failed; `delivered`: at least one other has the message."""
    words = "; ".join(map(str, failures))
    if delivered:
        words += ". The other services have the message, so it is not repeated"
        return NotifierError(words, permanent=True, uncertain=any(one.uncertain for one in failures))
    limited = any(one.status == 429 for one in failures)
    return NotifierError(
        words,
        permanent=all(one.permanent for one in failures),
        retry_at=rate_limited_until(None, now) if limited else None,
        sent=any(one.sent for one in failures),
        uncertain=any(one.uncertain for one in failures),
    )
