"""A message to people, said once and shown by every medium in its own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol
from urllib.parse import quote

from notifiers.text import clean, one_line

Severity = Literal["info", "good", "warning", "bad"]
RESERVED = "%:/?#[]@!$&'()*+,;=~"  # https://www.rfc-editor.org/rfc/rfc3986#section-2.2
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"|\\]+", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """Where to read on. Media show it only if it is an http or https address."""

    url: str
    label: str = "Open"


@dataclass(frozen=True)
class Picture:
    """A picture as a file: its bytes, a name with the right ending, and what it shows in words."""

    data: bytes = field(repr=False)
    filename: str
    alt: str = ""


@dataclass(frozen=True)
class Message:
    """What is to be said, all of it plain text: markup of any medium in it is shown, not obeyed."""

    title: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    link: Link | None = None
    severity: Severity = "info"
    picture: Picture | None = None
    footer: str = ""


@dataclass(frozen=True)
class Receipt:
    """Where a message went: the medium's word for the place, and its word for the message in that place."""

    channel: str
    id: str

    def as_dict(self) -> dict[str, str]:
        """The receipt as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, str]) -> Receipt:
        """The receipt that `as_dict` gave."""
        return cls(channel=value["channel"], id=value["id"])


class Notifier(Protocol):
    """A way to tell people something. Thread-safe; every failure is a NotifierError."""

    kind: str

    def __init__(self, config: Any, *, clock: Callable[[], datetime] = ...) -> None:
        """Make one from its frozen config; nothing is opened or asked yet."""

    @staticmethod
    def address(text: str) -> str:
        """The text as an address of this medium; raises ValueError saying what would be right."""

    def send(self, message: Message, to: str | None) -> Receipt:
        """Deliver the message, without its picture; `to` None means the default destination."""

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        """Add the picture to a sent message; does nothing where the medium has no pictures."""

    def check(self) -> str:
        """Ask the service whether the credentials are good; the answer is a line for people."""


def title_of(message: Message) -> str:
    """The title on one line; never empty."""
    return one_line(message.title) or "(no title)"


def facts_of(message: Message) -> list[tuple[str, str]]:
    """The facts that have a name, each name and value on one line; a dash where there is no value."""
    facts = ((one_line(name), one_line(value)) for name, value in message.facts)
    return [(name, value or "-") for name, value in facts if name]


def link_of(message: Message) -> Link | None:
    """The link with its label on one line and its address in ASCII, if it is a web address; else it is not shown."""
    if message.link is None or not WEB_ADDRESS.fullmatch(message.link.url):
        return None
    return Link(quote(clean(message.link.url), safe=RESERVED), one_line(message.link.label) or "Open")


def plain(message: Message) -> str:
    """The whole message as plain text, one fact a line."""
    link = link_of(message)
    lines = [
        title_of(message),
        clean(message.text),
        *(f"{name}: {value}" for name, value in facts_of(message)),
        f"{link.label}: {link.url}" if link else "",
        one_line(message.footer),
    ]
    return "\n".join(line for line in lines if line)
