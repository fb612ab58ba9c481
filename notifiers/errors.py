"""The error of all notifiers, and what they need to raise it: secrets masked, `Retry-After` parsed."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notifiers.message import Receipt

LONGEST_WAIT = timedelta(days=1)
# After a 429 without a usable Retry-After.
RATE_LIMIT_WAIT = timedelta(minutes=1)
MASK = "***"


class NotifierError(Exception):
    """A message was not delivered, or its delivery could not be confirmed.

    `permanent`: retrying cannot help. `retry_at` (aware, UTC): not before then; None: by the caller's back-off.
    `sent` is False where the request surely did not reach the service, for example because the connection failed: it
    is safe to retry for as long as an outage lasts. `uncertain`: the message may have arrived, so a retry may deliver
    it twice. `declined`: the service works, and does not accept this message for now.
    """

    # What is unavailable, for a caller that waits for it; set by the caller.
    service = ""

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_at: datetime | None = None,
        sent: bool = True,
        uncertain: bool = False,
        declined: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_at = retry_at
        self.sent = sent
        self.uncertain = uncertain
        self.declined = declined

    @property
    def unavailable(self) -> bool:
        """Return whether any message would have failed like this one, because the service does not work now."""
        return not (self.permanent or self.retry_at or self.uncertain or self.declined)

    @property
    def responded(self) -> bool:
        """Return whether the service works: it has refused the message."""
        return self.sent and not self.uncertain and (self.permanent or self.declined)

    def prefix(self, text: str) -> None:
        """Put `text` in front of the message."""
        self.args = (f"{text}{self}",)


class Undelivered(NotifierError):
    """The service accepted the message, and reports that it could not be delivered."""


class PartlyDelivered(NotifierError):
    """Some recipients have the message, and others were refused: it must not be sent again. `receipt` is that of it."""

    def __init__(self, message: str, receipt: Receipt) -> None:
        super().__init__(message, permanent=True)
        self.receipt = receipt


class CannotEdit(NotifierError):
    """The message cannot be changed: reply to it, or post a new one. `gone`: it no longer exists, so post a new one."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message, permanent=True)
        self.gone = gone


class CannotReply(NotifierError):
    """The message cannot be replied to: post a new one."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


def utc_now() -> datetime:
    """Return the current time; the default clock of the notifiers."""
    return datetime.now(UTC)


def parse_retry_after(value: str | None, now: datetime) -> datetime | None:
    """Return the time that a `Retry-After` header names, at most a day ahead; None without a usable value.

    The value is a number of seconds or an HTTP date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if value is None:
        return None
    try:
        try:
            seconds = float(value)
        except ValueError:
            seconds = (parsedate_to_datetime(value).astimezone(UTC) - now).total_seconds()
        if math.isnan(seconds) or seconds == -math.inf:
            return None
    except (ValueError, OverflowError):
        return None
    return now + timedelta(seconds=min(max(seconds, 0.0), LONGEST_WAIT.total_seconds()))


def rate_limited_until(retry_after: str | None, now: datetime) -> datetime:
    """Return when to retry after a 429, which does not always come with a `Retry-After`."""
    return parse_retry_after(retry_after, now) or now + RATE_LIMIT_WAIT


def redact(text: str, secrets: Iterable[str | None]) -> str:
    """Return the text with every secret masked; a text of up to three characters is not taken for a secret."""
    for secret in secrets:
        if secret and len(secret) > 3:
            text = text.replace(secret, MASK)
    return text


def safe_cause(error: BaseException, secrets: Iterable[str | None]) -> BaseException | None:
    """Return the error to raise from, or None where its traceback would print a secret."""
    printed = "".join(traceback.format_exception(error))
    return error if redact(printed, secrets) == printed else None
