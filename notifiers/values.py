"""The values of a message that are not text: links, and times that each reader sees in their zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote

from notifiers.text import clean, one_line

# https://www.rfc-editor.org/rfc/rfc3986#section-2.2
RESERVED = "%:/?#[]@!$&'()*+,;=~"
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"|\\]+", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A link to more details. It is shown only if it is an http or https address."""

    url: str
    label: str = "Open"


@dataclass(frozen=True)
class Timestamp:
    """A time. Slack shows it in the zone of each reader, other notifiers in `zone`."""

    at: datetime
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"{self.at} has no time zone")

    def __str__(self) -> str:
        """Return the time in `zone`, such as `2026-01-31 09:30 UTC`."""
        try:
            return f"{self.at.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"
        except OverflowError:
            # At an end of the calendar it has no time in another zone.
            return f"{self.at:%Y-%m-%d %H:%M %Z}"


Cell = str | Timestamp | Link


def usable_link(link: Link | None) -> Link | None:
    """Return a link with its label on one line and its URL in ASCII; None unless it is a web address."""
    if link is None or not WEB_ADDRESS.fullmatch(link.url):
        return None
    return Link(quote(clean(link.url), safe=RESERVED), one_line(link.label) or "Open")
