"""Everything that can go wrong with Tableau, told apart by type, with the two facts a caller acts on.

TableauError
├── ConnectionFailed           refused, no such host, TLS, timed out, cut off half-way
├── InvalidResponse          an answer that is not Tableau's (a proxy's page, broken JSON)
├── SignInFailed       the credential was refused
├── SignInBusy         somebody else holds the sign-in lock for too long
├── Unauthorized       401 with a session that is minutes old
├── BadRequest         400 and every other 4xx
├── Forbidden          403
├── NotFound           404
│   └── UnknownUri     404003: the server does not know the call itself
├── Conflict           409
│   └── AlreadyRunning 409093: a refresh of that content is queued or running
├── TooManyRequests    429, and the Metadata API's RATE_EXCEEDED
├── ServerError        5xx
├── MetadataError      the Metadata API answered with errors
│   └── NotIndexed     the Metadata API does not know that content (yet)
└── StillRunning       wait_for_job gave up; the job goes on
"""

from __future__ import annotations

from datetime import datetime


class TableauError(Exception):
    """A call to Tableau failed.

    `permanent`: trying the same again cannot help. `retry_at`: the aware UTC time Tableau asked us to come back at.
    `status`, `code`, `summary` and `detail` are Tableau's own words where it said any; `advice` is ours: what to do.
    """

    permanent = False

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
        said = ": ".join(part for part in (self.summary, self.detail) if part).rstrip(". ")
        named = f"{self.code or self.status} {said}" if self.code or self.status else said
        return f"{named}. {self.advice}" if self.advice else named


class ConnectionFailed(TableauError):
    """No whole answer came.

    `unsent`: the request never left, so repeating it is safe whatever it was. `again`: another try at once may help.
    """

    unsent = False
    again = True


class InvalidResponse(TableauError):
    """Something answered that is not Tableau's REST API: a proxy, a login page, or half a document."""


class SignInFailed(TableauError):
    """Tableau refused the credential; `advice` says what to look at."""

    permanent = True


class SignInBusy(TableauError):
    """Another thread, process or machine is signing in and did not finish in time."""


class Unauthorized(TableauError):
    """401 although the session is fresh."""


class BadRequest(TableauError):
    """Tableau did not accept what was asked (400 and the other 4xx)."""

    permanent = True


class Forbidden(TableauError):
    """The signed-in user, or the scopes of the connected app, may not do this (403)."""

    permanent = True


class NotFound(TableauError):
    """The content is gone, never was, or is not visible to the signed-in user (404)."""

    permanent = True


class UnknownUri(NotFound):
    """The server does not know this call (404003): its REST API is older than the call, or the path is wrong."""


class Conflict(TableauError):
    """The request contradicts the state of the content (409)."""

    permanent = True


class AlreadyRunning(Conflict):
    """A refresh of this content is queued or running already (409093): usually not a failure at all."""


class TooManyRequests(TableauError):
    """A rate or concurrency limit was hit (429); `retry_at` says when to come back where Tableau said so."""


class ServerError(TableauError):
    """Tableau, or the gateway before it, failed (5xx)."""


class MetadataError(TableauError):
    """The Metadata API answered with errors; `codes` are their `extensions.code`."""

    codes: tuple[str, ...] = ()


class NotIndexed(MetadataError):
    """The Metadata API does not know the content: it is gone, or was published minutes ago."""


class StillRunning(TableauError):
    """The job had not finished when the waiting time was used up."""
