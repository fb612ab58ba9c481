"""What Twilio's answers mean: the message's SID, or one NotifierError. Pure.

https://www.twilio.com/docs/usage/twilios-response
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from notifiers.errors import NotifierError, come_back
from notifiers.transport import Response

# https://www.twilio.com/docs/api/errors
ADVICE = {
    20003: "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN do not fit together",
    21211: "not a valid number",
    21408: "the account may not send to that country",
    21606: "TWILIO_FROM is not a number of this account",
    21608: "a trial account sends to verified numbers only",
    21610: "this person has opted out with STOP and must answer START first",
    21612: "no route from this sender to that number",
    21614: "not a mobile number",
}
TOO_MANY = frozenset([20429, 21611])  # too many requests; the sender's queue is full


class Refusal(NotifierError):
    """Twilio answered and did not accept the request."""

    def __init__(self, message: str, *, permanent: bool, retry_at: datetime | None, status: int) -> None:
        super().__init__(message, permanent=permanent, retry_at=retry_at)
        self.status = status


def refusal(response: Response, now: datetime) -> Refusal:
    """Return the error for an answer that is not a success."""
    said = response.json()
    code = said["code"] if isinstance(said.get("code"), int) else None
    words = f"{code} {ADVICE.get(code) or said.get('message')}" if code else f"status {response.status}"
    hint = "" if code or response.status >= 400 else "; is TWILIO_API_URL right?"
    passing = response.status >= 500 or response.status in (408, 429) or code in TOO_MANY
    return Refusal(
        f"Twilio answered {words}{hint}",
        permanent=not passing,
        retry_at=come_back(response.headers.get("retry-after"), now) if passing else None,
        status=response.status,
    )


def sid_of(response: Response) -> str:
    """The SID of the message an answer describes; an uncertain NotifierError if it names none."""
    sid = response.json().get("sid")
    if not isinstance(sid, str):
        raise NotifierError("Twilio's answer names no message", uncertain=True)
    return sid


def sid_in_list(response: Response, body: str, since: datetime) -> str | None:
    """The SID of the listed message with that body that was created at `since` or later."""
    listed = response.json().get("messages")
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict):
            continue
        created = date_of(item.get("date_created"))
        # A trial account puts a sentence before the body.
        if created and created >= since and str(item.get("body")).endswith(body):
            return str(item["sid"])
    return None


def date_of(text: object) -> datetime | None:
    """The time in an RFC 2822 date, UTC; None if it is none."""
    try:
        return parsedate_to_datetime(str(text)).astimezone(UTC)
    except ValueError:
        return None
