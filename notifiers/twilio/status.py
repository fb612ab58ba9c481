"""Reports of Twilio on what became of a message, and the address at which the server takes them. Pure.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from notifiers.errors import NotifierError
from notifiers.twilio.errors import FAILED, raise_if_failed
from notifiers.twilio.replies import SENDER, SID, Fields, InvalidReply

PATH = "/twilio/status"
# The name of our id of the message in the query of the address.
MESSAGE = "message"
CODE = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class StatusReport:
    """The status of a message: Twilio's id for it, the recipient, and the code of an error; 0 without one."""

    sid: str
    to: str
    status: str
    code: int = 0

    @property
    def has_failed(self) -> bool:
        """Return whether the message will not reach its recipient."""
        return self.status in FAILED

    def reason(self, now: datetime) -> str:
        """Return why it could not be delivered, with advice; empty if it may still be."""
        message: Mapping[str, object] = {"status": self.status, "error_code": self.code or None}
        try:
            raise_if_failed(message, now)
        except NotifierError as error:
            return str(error)
        return ""


def status_url(public_url: str, message_id: str) -> str:
    """Return the address for reports on the message with our id; empty if Twilio could not reach it.

    Twilio accepts no host with an underscore: https://www.twilio.com/docs/messaging/api/message-resource
    """
    if not public_url or not message_id or "_" in (urlsplit(public_url).hostname or ""):
        return ""
    return f"{public_url}{PATH}?{MESSAGE}={quote(message_id, safe='')}"


def parse_status(fields: Fields) -> StatusReport:
    """Return what the fields report. Raises InvalidReply."""
    values = dict(fields)
    sid, to, status = (values.get(name, "") for name in ("MessageSid", "To", "MessageStatus"))
    code = values.get("ErrorCode", "")
    if not SID.fullmatch(sid) or not SENDER.fullmatch(to) or not status.isascii() or not status.isalpha():
        raise InvalidReply("The form does not name a message, its recipient and its status.")
    return StatusReport(sid, to, status, int(code) if CODE.fullmatch(code) else 0)
