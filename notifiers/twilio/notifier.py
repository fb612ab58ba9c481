"""Tells people by SMS through Twilio's Messages call.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from notifiers.errors import NotifierError, demand, utc_now
from notifiers.message import Message, Picture, Receipt
from notifiers.transport import Request, Response, Transport, basic_auth
from notifiers.twilio.errors import Refusal, date_of, refusal, sid_in_list, sid_of
from notifiers.twilio.sms import sms

TWILIO_API_URL = "https://api.twilio.com"
E164 = re.compile(r"\+[1-9]\d{6,14}")
CLOCK_GRAIN = timedelta(seconds=2)  # dates in answers have whole seconds


@dataclass(frozen=True)
class TwilioConfig:
    """The account, the sender (a number, a name or a messaging service MG…), the default number, Twilio's address."""

    account_sid: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    sender: str | None = None
    to: str | None = None
    api_url: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the account and a sender are there."""
        return bool(self.account_sid and self.auth_token and self.sender)

    @property
    def addressed(self) -> bool:
        """Whether a message without an address has a number to go to."""
        return self.complete and bool(self.to)


class TwilioNotifier:
    """Sends text messages; never twice where nobody can tell whether the first one went."""

    kind = "twilio"

    def __init__(self, config: TwilioConfig, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._config = config
        self._clock = clock

    @staticmethod
    def address(text: str) -> str:
        """A number in E.164 form; spaces, dots, dashes and brackets are taken out."""
        number = re.sub(r"[\s().-]", "", text)
        if not E164.fullmatch(number):
            raise ValueError(f"{text!r} is no telephone number; write it with + and country code, as in +15550100")
        return number

    def send(self, message: Message, to: str | None) -> Receipt:
        """Send the message as one SMS of at most three segments."""
        number, body = self._number(to), sms(message)
        sender = self._config.sender or ""
        by = "MessagingServiceSid" if sender.startswith("MG") else "From"
        started = time.monotonic()
        try:
            answer = self._call("POST", {"To": number, by: sender, "Body": body})
            return Receipt(number, sid_of(answer))
        except NotifierError as error:
            # After a server error too the message may have been taken.
            failed = isinstance(error, Refusal) and error.status >= 500
            sid = self._sid_since(started, number, body) if error.uncertain or failed else None
            if sid:
                return Receipt(number, sid)
            if not error.uncertain:
                raise
            words = f"{error}. The SMS to {number} may have been sent; it is not repeated. Replay to send it again"
            raise NotifierError(words, permanent=True, uncertain=True) from error

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        """Nothing: an SMS has no pictures."""

    def check(self) -> str:
        """Read one entry of the account's message log, which takes the same credentials as sending."""
        self._call("GET", {"PageSize": "1"})
        return f"Twilio: account {self._config.account_sid}, sending from {self._config.sender}"

    def _number(self, to: str | None) -> str:
        if not (to or self._config.to):
            raise NotifierError("Twilio has no number: set TWILIO_TO, or write twilio:+15550100", permanent=True)
        try:
            return self.address(to or self._config.to or "")
        except ValueError as error:
            raise NotifierError(str(error), permanent=True) from error

    def _call(self, method: str, fields: dict[str, str]) -> Response:
        """Call the Messages resource, with `fields` as the form of a POST or the query of a GET."""
        sid, secret = self._config.account_sid or "", self._config.auth_token or ""
        demand("Twilio", TWILIO_ACCOUNT_SID=sid, TWILIO_AUTH_TOKEN=secret, TWILIO_FROM=self._config.sender)
        base = (self._config.api_url or TWILIO_API_URL).rstrip("/")
        url = f"{base}/2010-04-01/Accounts/{quote(sid, safe='')}/Messages.json"
        headers, encoded = basic_auth(sid, secret), urlencode(fields)
        if method == "GET":
            request = Request(method, f"{url}?{encoded}", headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = Request(method, url, headers, encoded.encode())
        response = Transport("Twilio", secrets=[secret]).send(request)
        if not 200 <= response.status < 300:
            raise refusal(response, self._clock())
        return response

    def _sid_since(self, started: float, number: str, body: str) -> str | None:
        """The SID of this message if Twilio has it although we were not told; None also where we cannot look."""
        try:
            # Not filtered by DateSent, which is empty until a message has left.
            answer = self._call("GET", {"To": number, "PageSize": "50"})
        except NotifierError:
            return None
        # Twilio's own clock, as ours may differ.
        now = date_of(answer.headers.get("date")) or self._clock()
        since = now - timedelta(seconds=time.monotonic() - started) - CLOCK_GRAIN
        return sid_in_list(answer, body, since)
