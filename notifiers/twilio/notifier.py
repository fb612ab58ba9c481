"""Text messages, and messages by WhatsApp, through Twilio's Messages resource.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlencode

from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.message import Message, Receipt
from notifiers.notifier import Capabilities, Notifier
from notifiers.twilio.config import TwilioConfig
from notifiers.twilio.errors import (
    PENDING,
    Refusal,
    accepted_sid,
    parse_date,
    raise_if_failed,
    refusal,
    sid_in_list,
)
from notifiers.twilio.render import count_segments, render
from notifiers.twilio.status import status_url
from notifiers.twilio.whatsapp import PREFIX, variables

if TYPE_CHECKING:
    from notifiers.transport import Response, Transport

E164 = re.compile(r"\+[1-9]\d{6,14}")
CONTENT_SID = re.compile(r"HX[0-9a-f]{32}")
# https://www.twilio.com/docs/api/errors/21609
INVALID_CALLBACK = 21609
# Dates in Twilio's responses have whole seconds.
CLOCK_PRECISION = timedelta(seconds=2)


class TwilioNotifier(Notifier):
    """Sends text messages; never twice where the outcome of the first attempt is unknown."""

    kind: ClassVar[str] = "twilio"
    label: ClassVar[str] = "Twilio"
    config_class: ClassVar[type[Config]] = TwilioConfig
    capabilities: ClassVar[Capabilities] = Capabilities(receipt=True, paid=True)
    example: ClassVar[str] = "twilio:+15550100"
    personal: ClassVar[re.Pattern[str]] = re.compile(r".+")

    config: TwilioConfig

    @property
    def takes_replies(self) -> bool:
        """Return whether the sender is a number or a messaging service; no one can reply to a name."""
        return self.config.sender.startswith(("+", "MG"))

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the number in E.164 form, without spaces, dots, dashes and brackets; for WhatsApp with its prefix."""
        prefix = PREFIX if text.startswith(PREFIX) else ""
        number = re.sub(r"[\s().-]", "", text.removeprefix(PREFIX))
        if not E164.fullmatch(number):
            raise ValueError(f"{text!r} is not a phone number. Write it with + and the country code, such as +15550100")
        return prefix + number

    def deliver(self, message: Message, address: str) -> Receipt:
        """Send the message as one SMS of at most three segments, or as a WhatsApp template."""
        try:
            number = self.parse_address(address)
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from error
        fields = self._content(message, number) | {"To": number}
        # Part of the text that Twilio lists; that of a template contains the variables.
        text = fields.get("Body") or json.loads(fields["ContentVariables"])["1"]
        started = time.monotonic()
        try:
            return Receipt(number, accepted_sid(self._post(fields, message), self.clock()))
        except NotifierError as error:
            # After a server error, too, Twilio may have taken the message.
            unclear = error.uncertain or (isinstance(error, Refusal) and error.status >= 500)
            if unclear and (sid := self._find_sent(started, number, text, is_template="ContentSid" in fields)):
                return Receipt(number, sid)
            if not error.uncertain:
                raise
            words = f"{error}. The message may have been sent and is not repeated. Replay the job to send it again"
            raise NotifierError(words, permanent=True, uncertain=True) from error

    def _content(self, message: Message, number: str) -> dict[str, str]:
        """Return the fields for the sender and the content. Raises a permanent NotifierError without a template."""
        sender, config = self.config.sender, self.config
        if not number.startswith(PREFIX):
            return {_sender_field(sender): sender, "Body": render(message)}
        if not CONTENT_SID.fullmatch(config.whatsapp_content) or not config.whatsapp_sender:
            words = "WhatsApp needs TWILIO_WHATSAPP_FROM, and in TWILIO_WHATSAPP_CONTENT_SID an approved template (HX…)"
            raise NotifierError(words, permanent=True, sent=False)
        sender, field = config.whatsapp_sender, _sender_field(config.whatsapp_sender)
        return {
            field: sender if field != "From" else PREFIX + sender.removeprefix(PREFIX),
            "ContentSid": config.whatsapp_content,
            "ContentVariables": variables(message),
        }

    def _post(self, fields: dict[str, str], message: Message) -> Response:
        """Send the form, with the address for reports if they can be verified and Twilio accepts it."""
        callback = status_url(self.public_url, message.id) if self.config.auth_token else ""
        try:
            return self._call("POST", ".json", fields | ({"StatusCallback": callback} if callback else {}))
        except Refusal as error:
            if not callback or error.code != INVALID_CALLBACK:
                raise
            return self._call("POST", ".json", fields)

    def billed_units(self, message: Message) -> int:
        """Return the number of segments, each of which Twilio charges as one SMS."""
        return count_segments(render(message))

    def is_delivered(self, receipt: Receipt) -> bool:
        """Return whether the message has reached the phone; False while it is on its way.

        Raises Undelivered, with the reason, for one that could not be delivered.
        """
        message = self._call("GET", f"/{quote(receipt.id, safe='')}.json", {}).json()
        try:
            raise_if_failed(message, self.clock())
        except NotifierError as error:
            error.prefix(f"Could not deliver to twilio:{receipt.channel}. ")
            raise
        return str(message.get("status")) not in PENDING

    def check(self) -> str:
        """Read one entry of the account's message log, which takes the same credentials as sending."""
        self.require_configured()
        self._call("GET", ".json", {"PageSize": "1"})
        return f"Twilio: account {self.config.account_sid}, sending from {self.config.sender}"

    @cached_property
    def _transport(self) -> Transport:
        from notifiers.transport import Transport  # noqa: PLC0415 - commands that send nothing start without HTTP

        return Transport("Twilio", secrets=self.config.secrets(), ca_bundle=self.ca_bundle)

    def _call(self, method: str, path: str, fields: dict[str, str]) -> Response:
        """Call the Messages resource, with `fields` as the form of a POST or the query of a GET."""
        from notifiers.transport import Request, basic_auth  # noqa: PLC0415 - as above

        account = self.config.account_sid
        if not account.startswith("AC"):
            words = f"TWILIO_ACCOUNT_SID is {account}; an account starts with AC"
            hint = "; put an API key into TWILIO_API_KEY_SID" if account.startswith("SK") else ""
            raise NotifierError(f"{words}{hint}", permanent=True, sent=False)
        url = f"{self.config.api_url.rstrip('/')}/2010-04-01/Accounts/{quote(account, safe='')}/Messages{path}"
        headers, encoded = basic_auth(*self.config.credentials), urlencode(fields)
        if method == "GET":
            request = Request(method, f"{url}?{encoded}" if encoded else url, headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = Request(method, url, headers, encoded.encode())
        response = self._transport.send(request)
        if not 200 <= response.status < 300:
            raise refusal(response, self.clock())
        return response

    def _find_sent(self, started: float, number: str, text: str, *, is_template: bool) -> str | None:
        """Return the SID of this message if Twilio has it; None also where it cannot be looked up.

        `started` is the monotonic time before the message was sent; `text` ends it, or is a part of a template.
        """
        try:
            # Not filtered by DateSent, which is empty until a message has left.
            response = self._call("GET", ".json", {"To": number, "PageSize": "50"})
        except NotifierError:
            return None
        # By Twilio's own clock, as ours may differ.
        now = parse_date(response.headers.get("date")) or self.clock()
        since = now - timedelta(seconds=time.monotonic() - started) - CLOCK_PRECISION
        return sid_in_list(response, text, since, anywhere=is_template)


def _sender_field(sender: str) -> str:
    return "MessagingServiceSid" if sender.startswith("MG") else "From"
