"""Turn Twilio's responses into a message's SID or an error. Pure.

https://www.twilio.com/docs/usage/twilios-response
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from notifiers.errors import NotifierError, Undelivered, parse_retry_after, rate_limited_until
from notifiers.text import one_line

if TYPE_CHECKING:
    from notifiers.transport import Response

# https://www.twilio.com/docs/api/errors
ADVICE = {
    20003: "the credentials do not match; check TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN or TWILIO_API_KEY_SID",
    21211: "not a valid number",
    21408: "the account may not send to that country",
    21606: "TWILIO_FROM is not a number of this account",
    21608: "a trial account sends to verified numbers only",
    21610: "this person has opted out with STOP and must answer START first",
    21612: "no route from this sender to that number",
    21614: "not a mobile number",
    30003: "the phone is unreachable",
    30004: "the recipient has blocked this sender",
    30005: "the number does not exist",
    30006: "a landline, or a carrier that cannot be reached",
    30007: "filtered by the carrier as spam",
    30017: "the network of the recipient is congested",
    30022: "more messages at once than the carrier allows the campaign (A2P 10DLC)",
    30023: "the day's messages of the brand are used up (A2P 10DLC)",
    30027: "the day's messages of the brand to T-Mobile are used up (A2P 10DLC)",
    30034: "the US sender is not registered for A2P 10DLC",
    63016: "outside of a conversation WhatsApp shows only approved templates; check TWILIO_WHATSAPP_CONTENT_SID",
    63017: "the account sends faster than Twilio allows",
    63018: "the WhatsApp sender has reached its limit of messages",
    63024: "the recipient has no WhatsApp",
    63038: "the account has reached its daily limit of messages",
}
# Too many requests; too many messages from the sender, for the carrier or Twilio; the queue of the sender or account is
# full.
RATE_LIMITED = frozenset([20429, 14107, 21611, 30001, 30022, 63017])
# The day's messages of the account, of the brand (also at T-Mobile) or of the WhatsApp sender are used up; the network
# of the recipient is congested.
LONG_LIMITED = frozenset([63038, 30023, 30027, 63018, 30017])
LONG_LIMIT_WAIT = timedelta(hours=1)
# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
FAILED = frozenset(["failed", "undelivered", "canceled"])
PENDING = frozenset(["accepted", "scheduled", "queued", "sending", "sent"])
SID = re.compile(r"[A-Za-z0-9]{1,64}")
# Characters of what Twilio says, and of a date.
MAX_TEXT, MAX_DATE = 500, 100


class Refusal(NotifierError):
    """Twilio responded and did not accept the message."""

    def __init__(
        self, message: str, *, permanent: bool, retry_at: datetime | None, status: int, code: int | None = None
    ) -> None:
        super().__init__(message, permanent=permanent, retry_at=retry_at)
        self.status = status
        self.code = code


def refusal(response: Response, now: datetime) -> Refusal:
    """Return the error for a response that is not a success."""
    body = response.json()
    code = body["code"] if isinstance(body.get("code"), int) else None
    reason = f"{code} ({ADVICE.get(code) or _shortened(body.get('message'))})" if code else f"status {response.status}"
    hint = "" if code or response.status >= 400 else "; is TWILIO_API_URL right?"
    retry_after = response.headers.get("retry-after")
    retry_at = _limited_until(code, retry_after, now)
    if response.status == 429 and not retry_at:
        retry_at = rate_limited_until(retry_after, now)
    permanent = retry_at is None and response.status < 500 and response.status != 408
    if not permanent and not retry_at:
        retry_at = parse_retry_after(retry_after, now)
    return Refusal(f"Twilio: {reason}{hint}", permanent=permanent, retry_at=retry_at, status=response.status, code=code)


def accepted_sid(response: Response, now: datetime) -> str:
    """Return the SID of the accepted message. Raises Undelivered for a message that has failed already.

    Raises an uncertain NotifierError for a response that names no message.
    """
    body = response.json()
    sid = body.get("sid")
    if not isinstance(sid, str) or not SID.fullmatch(sid):
        raise NotifierError("Twilio's response names no message; is TWILIO_API_URL right?", uncertain=True)
    raise_if_failed(body, now)
    return sid


def raise_if_failed(message: Mapping[str, Any], now: datetime) -> None:
    """Raise Undelivered, with the reason, for a message that could not be delivered."""
    status = str(message.get("status"))
    if status not in FAILED:
        return
    code = message["error_code"] if isinstance(message.get("error_code"), int) else None
    reason = ADVICE.get(code) if code else None
    reason = reason or _shortened(message.get("error_message") or "no reason given")
    retry_at = _limited_until(code, None, now)
    words = f"Twilio: {status}, {f'{code} ' if code else ''}({reason})"
    raise Undelivered(words, permanent=retry_at is None, retry_at=retry_at)


def sid_in_list(response: Response, body: str, since: datetime, *, anywhere: bool = False) -> str | None:
    """Return the SID of the listed message with that body, or with it `anywhere`, created at `since` or later."""
    listed = response.json().get("messages")
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict):
            continue
        created, sid = parse_date(item.get("date_created")), str(item.get("sid"))
        # A trial account puts a sentence before the body.
        text = str(item.get("body"))
        is_same = body in text if anywhere else text.endswith(body)
        if created and created >= since and is_same and SID.fullmatch(sid):
            return sid
    return None


def parse_date(text: object) -> datetime | None:
    """Return the time of an RFC 2822 date, in UTC; None if it is none."""
    try:
        return parsedate_to_datetime(str(text)[:MAX_DATE]).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _shortened(text: object) -> str:
    return one_line(str(text)[: 2 * MAX_TEXT])[:MAX_TEXT]


def _limited_until(code: int | None, retry_after: str | None, now: datetime) -> datetime | None:
    if code in LONG_LIMITED:
        return parse_retry_after(retry_after, now) or now + LONG_LIMIT_WAIT
    return rate_limited_until(retry_after, now) if code in RATE_LIMITED else None
