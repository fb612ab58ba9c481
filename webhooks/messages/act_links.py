"""Links in messages with which people acknowledge or snooze incidents without signing in. Pure.

The link leads to a page that asks for confirmation, because programs that scan mail open every link.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer

from notifiers import Link
from webhooks.clock import from_timestamp
from webhooks.incidents import Act

# The path that a signed text follows.
PATH = "/act"
# How long a link can be used; an incident that is closed cannot be acted on anyway.
VALID_FOR = timedelta(days=7)
SNOOZE_TIME = timedelta(hours=1)
# Signatures for other purposes, if there are any, must not be valid here.
SALT = "act link"
# The names of messages that several incidents share begin with this; the ids of incidents are hexadecimal.
GROUP = "group "

LinkAction = Literal["acknowledge", "snooze"]
LABELS: dict[LinkAction, str] = {"acknowledge": "Acknowledge", "snooze": "Snooze 1 h"}
LABELS_OF_GROUPS: dict[LinkAction, str] = {"acknowledge": "Acknowledge all", "snooze": "Snooze all 1 h"}


@dataclass(frozen=True, slots=True)
class ActLink:
    """The effect of a link: the action, what it is about, and the destination whose message has it.

    `number` and `subject` are those of an incident, or the number and the name of a message that several share.
    """

    action: LinkAction
    number: int
    subject: str
    destination: str
    expires_at: datetime

    @property
    def is_for_group(self) -> bool:
        """Return whether it is about the incidents that share a message."""
        return self.subject.startswith(GROUP)

    @property
    def label(self) -> str:
        """The words on the link and on the button of its page."""
        return (LABELS_OF_GROUPS if self.is_for_group else LABELS)[self.action]

    def act(self, by: str, now: datetime) -> Act:
        """Return the act of a person."""
        incident = "" if self.is_for_group else self.subject
        return Act("", self.action, incident, now, by, now + SNOOZE_TIME if self.action == "snooze" else None)


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """Makes the links of the message at one destination; none without a secret or a public address."""

    destination: str
    secret: str
    public_url: str

    def links(self, states: Collection[str], number: int, subject: str, now: datetime) -> tuple[Link, ...]:
        """Return the links that make sense in the states of the message's incidents; the rest is as in ActLink."""
        actions: tuple[LinkAction, ...] = ()
        if "open" in states:
            actions = ("acknowledge", "snooze")
        elif "snoozed" in states:
            actions = ("acknowledge",)
        if not self.secret or not self.public_url:
            return ()
        links = (ActLink(one, number, subject, self.destination, now + VALID_FOR) for one in actions)
        return tuple(Link(f"{self.public_url}{PATH}/{sign(link, self.secret)}", link.label) for link in links)


def sign(link: ActLink, secret: str) -> str:
    """Return the link as a text for a path."""
    expires_at = int(link.expires_at.timestamp())
    signed = _serializer(secret).dumps([link.action, link.number, link.subject, link.destination, expires_at])
    return signed if isinstance(signed, str) else signed.decode()


def parse(text: str, secret: str, now: datetime) -> ActLink | None:
    """Return the link of a signed text; None if the signature is wrong or its time is over."""
    if not secret:
        return None
    try:
        action, number, subject, destination, expires_at = _serializer(secret).loads(text)
    except (BadData, ValueError, TypeError):
        return None
    end = from_timestamp(expires_at)
    return ActLink(action, number, subject, destination, end) if now < end else None


def _serializer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt=SALT)
