"""The error of all notifiers: whether it is permanent, when to retry, and whether the message may have arrived."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_WAIT = timedelta(days=1)
MASK = "***"


class NotifierError(Exception):
    """A message was not delivered, or its delivery could not be confirmed.

    `permanent`: retrying cannot help. `retry_at` (aware, UTC): not before then; None: by the caller's back-off.
    `sent` is False where the request surely did not reach the service, for example because the connection failed: it
    is safe to retry for as long as an outage lasts. `uncertain`: the message may have arrived, so a retry may deliver
    it twice.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_at: datetime | None = None,
        sent: bool = True,
        uncertain: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_at = retry_at
        self.sent = sent
        self.uncertain = uncertain


def utc_now() -> datetime:
    """The default clock of the notifiers."""
    return datetime.now(UTC)


def demand(service: str, **variables: str | None) -> None:
    """Raise the permanent error that names every variable of a service that is not set."""
    missing = [name for name, value in variables.items() if not value]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise NotifierError(f"{service} is not set up: {', '.join(missing)} {verb} not set", permanent=True)


def come_back(retry_after: str | None, now: datetime) -> datetime | None:
    """The time a `Retry-After` header asks for (seconds or an HTTP date), at most a day ahead; None without one.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if retry_after is None:
        return None
    try:
        wait = _seconds(retry_after, now)
    except (ValueError, OverflowError):
        return None
    return now + min(max(wait, timedelta(0)), LONGEST_WAIT)


def _seconds(retry_after: str, now: datetime) -> timedelta:
    try:
        seconds = float(retry_after)
    except ValueError:
        return parsedate_to_datetime(retry_after).astimezone(UTC) - now
    if math.isnan(seconds):
        raise ValueError(retry_after)
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


def redacted(text: str, secrets: Iterable[str | None]) -> str:
    """The text with every secret masked; what is shorter than four characters is no secret but a letter."""
    for secret in secrets:
        if secret and len(secret) > 3:
            text = text.replace(secret, MASK)
    return text


def hushed(error: NotifierError, secrets: Iterable[str | None]) -> NotifierError:
    """The same error with every secret in its words masked."""
    error.args = (redacted(str(error), secrets),)
    return error


def cause(error: BaseException, secrets: Iterable[str | None]) -> BaseException | None:
    """What to raise from: the error itself, or None where its traceback would print a secret."""
    printed = "".join(traceback.format_exception(error))
    return error if redacted(printed, secrets) == printed else None
