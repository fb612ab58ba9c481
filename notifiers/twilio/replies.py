"""Text messages that Twilio received, as it reports them: verify the signature of a request and read its form. Pure.

https://www.twilio.com/docs/usage/security#validating-requests
https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from notifiers.text import one_line

SID = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
# A number, or one of another channel such as whatsapp:+15550100.
SENDER = re.compile(r"(?:[a-z]{1,20}:)?\+[1-9][0-9]{6,14}")
# Twilio sends about twenty fields.
MAX_FIELDS = 200
# Characters of a text that are looked at.
MAX_TEXT = 160

Fields = Sequence[tuple[str, str]]


class InvalidReply(ValueError):
    """The request is signed, but it is not about a received message as Twilio documents it."""


@dataclass(frozen=True)
class Reply:
    """A text message that a person sent: Twilio's id for it, the person's number, and the text on one line.

    `opt_out` is Twilio's word (STOP, START, HELP) if it has answered the message itself.
    """

    sid: str
    sender: str
    text: str
    opt_out: str = ""


def parse_fields(body: bytes) -> Fields | None:
    """Return the names and values of a form in the order of the body; None if it is none."""
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None


def is_signed(token: str, url: str, fields: Fields, signature: str | None) -> bool:
    """Return whether Twilio signed a request to `url` with these fields by the account's auth token.

    The signature has no time and no port that could be relied upon: the address counts with and without it.
    """
    if not token or not signature:
        return False
    given = signature.encode("utf-8", "replace")
    # A list and not a generator: all comparisons run, also after the first match.
    return any([hmac.compare_digest(_signature(token, one, fields), given) for one in _spellings(url)])  # noqa: C419


def parse_reply(fields: Fields) -> Reply:
    """Return the message that the fields are about. Raises InvalidReply."""
    values = dict(fields)
    sid, sender = values.get("MessageSid", ""), values.get("From", "")
    if not SID.fullmatch(sid) or not SENDER.fullmatch(sender):
        raise InvalidReply("The form does not name a message and the number that sent it.")
    return Reply(sid, sender, one_line(values.get("Body", "")[: 2 * MAX_TEXT])[:MAX_TEXT], values.get("OptOutType", ""))


def _signature(token: str, url: str, fields: Fields) -> bytes:
    # Of a field that occurs several times, each value counts once.
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode("utf-8", "replace"), hashlib.sha1).digest())


def _spellings(url: str) -> list[str]:
    """Return the address with its port, with the usual one, and without."""
    parts = urlsplit(url)
    host = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    usual = 443 if parts.scheme == "https" else 80
    return [parts._replace(netloc=netloc).geturl() for netloc in (host, f"{host}:{parts.port or usual}")]
