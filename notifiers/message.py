"""Messages to people, in a form that each notifier renders in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal
from urllib.parse import quote

from notifiers.text import clean, one_line

Severity = Literal["info", "good", "warning", "bad"]
# https://www.rfc-editor.org/rfc/rfc3986#section-2.2
RESERVED = "%:/?#[]@!$&'()*+,;=~"
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"|\\]+", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A link to more details. It is shown only if it is an http or https address."""

    url: str
    label: str = "Open"


@dataclass(frozen=True)
class Picture:
    """A picture file: its bytes, a name with the right extension, and a description in words."""

    data: bytes = field(repr=False)
    filename: str
    alt: str = ""


@dataclass(frozen=True)
class Message:
    """The content of a notification, all of it plain text: markup of any medium in it is shown, not interpreted."""

    title: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    link: Link | None = None
    severity: Severity = "info"
    picture: Picture | None = None
    footer: str = ""


@dataclass(frozen=True)
class Receipt:
    """The service's name for the place to which a message went, and its id for the message there."""

    channel: str
    id: str

    def as_dict(self) -> dict[str, str]:
        """Return the receipt as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, str]) -> Receipt:
        """Return the receipt that `as_dict` was called on."""
        return cls(channel=value["channel"], id=value["id"])


def title_of(message: Message) -> str:
    """Return the title on one line; never empty."""
    return one_line(message.title) or "(no title)"


def facts_of(message: Message) -> list[tuple[str, str]]:
    """Return the facts that have a name, each name and value on one line, with a dash for an empty value."""
    facts = ((one_line(name), one_line(value)) for name, value in message.facts)
    return [(name, value or "-") for name, value in facts if name]


def link_of(message: Message) -> Link | None:
    """Return the link with its label on one line and its URL in ASCII; None unless it is a web address."""
    if message.link is None or not WEB_ADDRESS.fullmatch(message.link.url):
        return None
    return Link(quote(clean(message.link.url), safe=RESERVED), one_line(message.link.label) or "Open")


def plain_text(message: Message) -> str:
    """Return the whole message as plain text, one fact a line."""
    link = link_of(message)
    lines = [
        title_of(message),
        clean(message.text),
        *(f"{name}: {value}" for name, value in facts_of(message)),
        f"{link.label}: {link.url}" if link else "",
        one_line(message.footer),
    ]
    return "\n".join(line for line in lines if line)
