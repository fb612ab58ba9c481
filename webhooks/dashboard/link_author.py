"""The author of an act by a signed link: the only person who has the message, or the name that someone enters."""

from __future__ import annotations

from werkzeug.exceptions import BadRequest

from notifiers import parse_destination
from webhooks.dashboard.visit import Visit
from webhooks.messages.act_links import ActLink

MAX_NAME = 80
INVALID = "This link is not valid any more. Open the newest message about the incident, or sign in."


def author(visit: Visit, link: ActLink) -> str:
    """Return who acts. Raises BadRequest if several people have the message, and none gives a name."""
    address = author_of(link.destination)
    name = visit.services.redact(visit.field("name", most=MAX_NAME))
    if not address and not name:
        raise BadRequest("Enter your name: others see it in the message.")
    return address or f"{name} ({visit.address(link.destination)})"


def author_of(destination: str) -> str:
    """Return the only person who has the message; empty if several people have it."""
    found = parse_destination(destination) if ":" in destination else None
    is_one = found is not None and found.kind == "email" and found.to is not None and "," not in found.to
    return str(found.to) if found and is_one else ""
