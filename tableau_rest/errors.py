"""The errors of the client: what went wrong, by type, and the two facts a caller acts on.

TableauError
├── ConnectionFailed   refused, unknown host, proxy, TLS, timed out, cut off half-way
├── InvalidResponse    a response that is not Tableau's, or without the requested object
│   └── IncompleteList a list that changed while it was read, or contradicts itself
├── SignInFailed       the credential was refused
├── SignInBusy         another thread or process holds the sign-in lock for too long
├── Unauthorized       401 although the session is new
├── BadRequest         400 and the other 4xx
├── Forbidden          403
│   └── NotPermitted   401 for this call only: the session is valid, the call is not allowed
├── NotFound           404
│   └── UnknownUri     404003: the server does not know the call itself
├── Conflict           409
│   └── AlreadyRunning 409093: a refresh of this content is queued or running
├── TooManyRequests    429, and the Metadata API's RATE_EXCEEDED
├── ServerError        5xx
├── MetadataError      the Metadata API responded with errors
│   └── NotIndexed     the Metadata API does not know this content (yet)
└── StillRunning       wait_for_job gave up; the job goes on
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class TableauError(Exception):
    """A call to Tableau failed.

    `permanent`: the same call would fail again. `retry_at`: the aware UTC time after which Tableau asks to try again.
    `status`, `code`, `summary` and `detail` are Tableau's where it sent any; `advice` says what to do.
    """

    permanent = False
    # What is unavailable, for a caller that waits for it; set by the caller.
    service = ""

    def __init__(
        self,
        summary: str,
        *,
        detail: str = "",
        status: int | None = None,
        code: str = "",
        permanent: bool | None = None,
        retry_at: datetime | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(summary)
        self.summary, self.detail, self.status, self.code = summary, detail, status, code
        self.permanent = type(self).permanent if permanent is None else permanent
        self.retry_at, self.advice = retry_at, advice

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.summary, self.detail) if part).rstrip(". ")
        numbered = f"{self.code or self.status} {text}" if self.code or self.status else text
        return f"{numbered}. {self.advice}" if self.advice else numbered

    @property
    def unavailable(self) -> bool:
        """Return whether any call would have failed like this one, because Tableau does not work now.

        False if it names a time, and if the call may have been carried out and must not be sent twice.
        """
        return not self.permanent and self.retry_at is None and (self.status or 0) >= 500

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Replace every text that came from the server by `change(text)`."""
        self.summary, self.detail, self.code = change(self.summary), change(self.detail), change(self.code)
        self.args = (self.summary,)


class ConnectionFailed(TableauError):
    """No complete response was received.

    `unsent`: the request never left, so any call may be repeated. `repeatable`: it may be sent twice anyway.
    `retry_at_once`: another attempt right now may help.
    """

    unsent = False
    repeatable = False
    retry_at_once = True

    @property
    def unavailable(self) -> bool:
        """Return whether Tableau does not work now, and the call may be sent again."""
        return not self.permanent and (self.unsent or self.repeatable)


class InvalidResponse(TableauError):
    """The response is not one of Tableau's REST API: a proxy's page, a login page, half a document, another object."""


class IncompleteList(InvalidResponse):
    """A list kept changing while it was read, or has fewer items than the server counts; no part of it is returned."""


class SignInFailed(TableauError):
    """Tableau refused the credential; `advice` says what to check."""

    permanent = True


class SignInBusy(TableauError):
    """Another thread, process or machine is signing in and did not finish in time."""


class Unauthorized(TableauError):
    """401 although the session is new: another program uses the same personal access token and ends the session."""


class BadRequest(TableauError):
    """Tableau did not accept the request (400 and the other 4xx)."""

    permanent = True


class Forbidden(TableauError):
    """The signed-in user, or the scopes of the connected app, do not permit this (403)."""

    permanent = True


class NotPermitted(Forbidden, Unauthorized):
    """Tableau responds to this call with 401 although the session is valid: a missing scope or right.

    It is remembered for an hour, so that further calls do not sign in again.
    """


class NotFound(TableauError):
    """The content was deleted, never existed, or is not visible to the signed-in user (404)."""

    permanent = True


class UnknownUri(NotFound):
    """The server does not know this call (404003): its REST API is older than the call, or the path is wrong."""


class Conflict(TableauError):
    """The request contradicts the state of the content (409)."""

    permanent = True


class AlreadyRunning(Conflict):
    """A refresh of this content is queued or running already (409093), which usually is not a failure."""


class TooManyRequests(TableauError):
    """A rate or concurrency limit was reached (429); `retry_at` says when to try again if Tableau said so."""


class ServerError(TableauError):
    """Tableau, or the gateway in front of it, failed (5xx)."""


class MetadataError(TableauError):
    """The Metadata API responded with errors; `codes` are their `extensions.code`."""

    codes: tuple[str, ...] = ()


class NotIndexed(MetadataError):
    """The Metadata API does not know the content: it was deleted, or was published minutes ago."""


class StillRunning(TableauError):
    """The job had not finished when the waiting time was used up."""
