"""Links in messages with which people acknowledge or snooze an incident without signing in. Pure.

The link leads to a page that asks for confirmation, because programs that scan mail open every link.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer

from notifiers import Link
from webhooks.clock import from_timestamp
from webhooks.incidents import Act, Incident

# The path that a signed text follows.
PATH = "/act"
# How long a link can be used; an incident that is closed cannot be acted on anyway.
VALID_FOR = timedelta(days=7)
SNOOZE_TIME = timedelta(hours=1)
# Signatures for other purposes, if there are any, must not be valid here.
SALT = "act link"

LinkAction = Literal["acknowledge", "snooze"]
LABELS: dict[LinkAction, str] = {"acknowledge": "Acknowledge", "snooze": "Snooze 1 h"}


@dataclass(frozen=True, slots=True)
class ActLink:
    """The effect of a link: the action, the incident by its number and id, and the destination whose message has it."""

    action: LinkAction
    number: int
    incident: str
    destination: str
    expires_at: datetime

    @property
    def label(self) -> str:
        """The words on the link and on the button of its page."""
        return LABELS[self.action]

    def act(self, by: str, now: datetime) -> Act:
        """Return the act of a person."""
        return Act("", self.action, self.incident, now, by, now + SNOOZE_TIME if self.action == "snooze" else None)


def act_links(
    incident: Incident, number: int, destination: str, now: datetime, *, secret: str, public_url: str
) -> tuple[Link, ...]:
    """Return the links that make sense in the incident's state; none without a secret or an address."""
    if not secret or not public_url:
        return ()
    actions: tuple[LinkAction, ...] = ()
    if incident.state == "open":
        actions = ("acknowledge", "snooze")
    elif incident.state == "snoozed":
        actions = ("acknowledge",)
    links = (ActLink(one, number, incident.id, destination, now + VALID_FOR) for one in actions)
    return tuple(Link(f"{public_url}{PATH}/{sign(link, secret)}", link.label) for link in links)


def sign(link: ActLink, secret: str) -> str:
    """Return the link as a text for a path."""
    expires_at = int(link.expires_at.timestamp())
    signed = _serializer(secret).dumps([link.action, link.number, link.incident, link.destination, expires_at])
    return signed if isinstance(signed, str) else signed.decode()


def parse(text: str, secret: str, now: datetime) -> ActLink | None:
    """Return the link of a signed text; None if the signature is wrong or its time is over."""
    if not secret:
        return None
    try:
        action, number, incident, destination, expires_at = _serializer(secret).loads(text)
    except (BadData, ValueError, TypeError):
        return None
    end = from_timestamp(expires_at)
    return ActLink(action, number, incident, destination, end) if now < end else None


def _serializer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt=SALT)
