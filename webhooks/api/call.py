"""One request to the API: who asks, at what time, and the tools that all operations use."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from webhooks.access.visitor_request import VisitorRequest

if TYPE_CHECKING:
    from webhooks.access.visitors import Visitor
    from webhooks.inbox import Inbox
    from webhooks.services import Services

# Ids are 64-bit integers in the database.
LARGEST_ID = 2**63 - 1
MOST_AHEAD = timedelta(days=3653)
NO_CURSOR = "cursor: it is not the `next` of a page."
# A number and the time by which its list is sorted.
PLACE = re.compile(r"([0-9]{1,19})@([0-9]+\.[0-9]+)")


class Refused(Exception):
    """The request cannot be carried out; `status` is the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, eq=False)
class Call(VisitorRequest):
    """A request with its visitor."""

    services: Services
    visitor: Visitor
    now: datetime

    @property
    def person(self) -> Visitor:
        """The visitor."""
        return self.visitor

    @property
    def whole(self) -> Inbox:
        """The whole inbox. Raises Refused for a visitor who is limited to sites and projects."""
        if not self.sees_everything:
            raise Refused(404, "This is not available to tokens and sessions that are limited to sites or projects.")
        return self.services.inbox

    @property
    def redact(self) -> Callable[[str], str]:
        """The function that masks the server's secrets in a text."""
        return self.services.redact

    def require_future(self, moment: datetime | None, name: str) -> None:
        """Raise Refused if the time is not in the next ten years."""
        if moment is None:
            return
        if moment <= self.now:
            raise Refused(409, f"{name}: {moment.isoformat()} is not in the future.")
        if moment - self.now > MOST_AHEAD:
            raise Refused(409, f"{name}: {moment.isoformat()} is more than ten years ahead.")


def cursor_of(number: int, at: float | None = None) -> str:
    """Return the cursor of the page after an item with this number; `at` is the time by which the list is sorted."""
    return _encoded(str(number) if at is None else f"{number}@{at!r}")


def number_of(cursor: str) -> int | None:
    """Return the number in a cursor, None for the first page. Raises Refused if it is not one of ours."""
    if not cursor:
        return None
    text = _decoded(cursor)
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= LARGEST_ID or cursor_of(number) != cursor:
        raise Refused(404, NO_CURSOR)
    return number


def place_of(cursor: str) -> tuple[float, int] | None:
    """Return the time and number in a cursor, None for the first page. Raises Refused if it is not one of ours."""
    if not cursor:
        return None
    found = PLACE.fullmatch(_decoded(cursor))
    if not found or not 0 < int(found[1]) <= LARGEST_ID or cursor_of(int(found[1]), float(found[2])) != cursor:
        raise Refused(404, NO_CURSOR)
    return float(found[2]), int(found[1])


def cursor_of_name(name: str, luid: str) -> str:
    """Return the cursor of the page after an item in a list that is sorted by name and LUID."""
    # A NUL character is in no stored text.
    return _encoded(f"{name}\0{luid}")


def name_of(cursor: str) -> tuple[str, str] | None:
    """Return the name and LUID in a cursor, None for the first page. Raises Refused if it is not one of ours."""
    if not cursor:
        return None
    text = _decoded(cursor)
    name, _, luid = text.partition("\0")
    if not luid or "\0" in luid or _encoded(text) != cursor:
        raise Refused(404, NO_CURSOR)
    return name, luid


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        return ""
