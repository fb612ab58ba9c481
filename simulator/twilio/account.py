"""The state of a Twilio account: its numbers, the messages it sent, and the requests it refuses."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from simulator.config import Config
from simulator.twilio import whatsapp

E164 = re.compile(r"\+[1-9]\d{6,14}")
SERVICE = re.compile("MG[0-9a-f]{32}")
MAX_CHARACTERS = 1600

# Numbers that always lead to the same response, https://www.twilio.com/docs/iam/test-credentials.
MAGIC_FROM = {
    "+15005550001": (21212, "The 'From' number {number} is not a valid phone number."),
    "+15005550007": (21606, "The 'From' phone number {number} is not owned by your account or not SMS-capable."),
    "+15005550008": (21611, "The 'From' number {number} has exceeded the maximum number of queued messages."),
}
MAGIC_TO = {
    "+15005550001": (21211, "The 'To' number {number} is not a valid phone number."),
    "+15005550002": (21612, "The 'To' phone number {number} cannot be reached from this 'From' number."),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region of {number}."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient {number}."),
    "+15005550009": (21614, "'To' number {number} is not a valid mobile number."),
}
# The magic number that can always send.
MAGIC_SENDER = "+15005550006"
# The characters of the GSM alphabet, which fit 160 into a message; those of its extension count twice.
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = set("^{}\\[~]|€")


class TwilioError(Exception):
    """An error response with Twilio's code, https://www.twilio.com/docs/api/errors."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Sms:
    """One accepted text message."""

    sid: str
    to: str
    sender: str
    service: str
    body: str
    at: datetime
    media: tuple[str, ...] = ()
    # Twilio's code for the reason why the message will not be delivered; 0 if it will.
    error_code: int = 0
    # Whether a person sent it to the account.
    received: bool = False

    @property
    def final_status(self) -> str:
        """Return the status in the end."""
        if self.received:
            return "received"
        return "undelivered" if self.error_code else "delivered"

    def status(self, now: datetime, pace: float) -> str:
        """Return the status: queued for `pace` seconds, then sent for as long, then the final one."""
        age = (now - self.at).total_seconds()
        if self.received:
            return self.final_status
        return "queued" if age < pace else "sent" if age < 2 * pace else self.final_status

    @property
    def segments(self) -> int:
        """Return the number of segments: of 160 or 70 characters, and fewer each if there are several."""
        if all(char in GSM or char in GSM_DOUBLE for char in self.body):
            length, single, joined = len(self.body) + sum(char in GSM_DOUBLE for char in self.body), 160, 153
        else:
            length, single, joined = len(self.body.encode("utf-16-be")) // 2, 70, 67
        return 1 if length <= single else -(-length // joined)


class Account:
    """One account with the log of its messages. Hold the world's lock to change it."""

    def __init__(self, config: Config, now: Callable[[], datetime], random_source: random.Random) -> None:
        self.sid, self.token = config.twilio_account_sid, config.twilio_auth_token
        # The accepted pairs of user name and password.
        self.credentials = [(self.sid, self.token)]
        if config.twilio_api_key_sid:
            self.credentials.append((config.twilio_api_key_sid, config.twilio_api_key_secret))
        self._senders = {config.twilio_from, MAGIC_SENDER}
        self._verified = config.twilio_verified
        self._approved_template, self._whatsapp_sender = config.twilio_whatsapp_content_sid, config.twilio_whatsapp_from
        self._now, self._random = now, random.Random(random_source.random())
        self.opted_out: set[str] = set()
        self.messages: list[Sms] = []

    def send(self, form: Mapping[str, str], media: tuple[str, ...], *, error_code: int = 0) -> Sms:
        """Accept a message; with an `error_code` it will not be delivered. Raises TwilioError if Twilio refuses it."""
        channel = whatsapp.PREFIX if form.get("To", "").startswith(whatsapp.PREFIX) else ""
        to, body = self._check_recipient(form.get("To", "").removeprefix(channel)), form.get("Body", "")
        sender, service = form.get("From", ""), form.get("MessagingServiceSid", "")
        if channel:
            shown, code = whatsapp.rendered(form, self._approved_template)
            if code and code != whatsapp.NO_TEMPLATE:
                raise TwilioError(code, "The template or its variables are invalid.")
            body, error_code = shown or body, code or error_code
            if sender and sender != f"{channel}{self._whatsapp_sender}":
                raise TwilioError(63007, f"Twilio could not find a Channel with the specified From address {sender}")
        else:
            self._check_sender(sender, service)
        if not body and not media:
            raise TwilioError(21619, "A text message body or media urls must be specified.")
        if len(body) > MAX_CHARACTERS:
            raise TwilioError(21617, "The concatenated message body exceeds the 1600 character limit.")
        sid = self.new_sid("MM" if media else "SM")
        sms = Sms(sid, channel + to, sender or self.sender, service, body, self._now(), media, error_code)
        self.messages.append(sms)
        return sms

    def new_sid(self, prefix: str = "SM") -> str:
        """Return the SID of a new message."""
        return f"{prefix}{self._random.getrandbits(128):032x}"

    @property
    def sender(self) -> str:
        """Return the account's own number."""
        return next(iter(self._senders - {MAGIC_SENDER}), MAGIC_SENDER)

    def _check_recipient(self, number: str) -> str:
        if not number:
            raise TwilioError(21604, "A 'To' phone number is required.")
        plain = re.sub(r"[\s().-]", "", number)
        if not E164.fullmatch(plain):
            masked = number if len(number) < 5 else f"{number[:-4]}XXXX"
            raise TwilioError(21211, f"Invalid 'To' Phone Number: {masked}")
        _check_magic(MAGIC_TO, plain)
        if plain in self.opted_out:
            raise TwilioError(21610, f"Attempt to send to unsubscribed recipient {plain}.")
        if self._verified is not None and plain not in self._verified:
            raise TwilioError(
                21608, f"The number {plain} is unverified. Trial accounts cannot send messages to unverified numbers."
            )
        return plain

    def _check_sender(self, sender: str, service: str) -> None:
        if not sender and not service:
            raise TwilioError(21603, "A 'From' phone number is required.")
        if service and not SERVICE.fullmatch(service):
            raise TwilioError(21701, f"The Messaging Service {service} does not exist.")
        if not sender:
            return
        _check_magic(MAGIC_FROM, sender)
        if SERVICE.fullmatch(sender):
            return
        if not E164.fullmatch(sender) and sender not in self._senders:
            raise TwilioError(21212, f"Invalid From Number (caller ID): {sender}")
        if sender not in self._senders:
            raise TwilioError(21606, f"The 'From' phone number {sender} is not a number of this account.")

    def find(self, sid: str) -> Sms:
        """Return the message with this SID. Raises TwilioError."""
        for sms in self.messages:
            if sms.sid == sid:
                return sms
        raise TwilioError(20404, f"The requested resource /Messages/{sid}.json was not found", 404)


def _check_magic(table: Mapping[str, tuple[int, str]], number: str) -> None:
    if number in table:
        code, message = table[number]
        raise TwilioError(code, message.format(number=number))
