"""One request for a page: who asks, at what time, and how times and destinations are written for them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from flask import Request
from werkzeug.exceptions import BadRequest, NotFound

from webhooks.access.visitor_request import VisitorRequest
from webhooks.access.visitors import Role, Visitor, permits
from webhooks.text import cut
from webhooks.views import formats
from webhooks.views.status import refreshes

if TYPE_CHECKING:
    from webhooks.inbox import Inbox
    from webhooks.incidents import Incident
    from webhooks.services import Services

T = TypeVar("T")

_remembered: WeakKeyDictionary[Services, dict[str, tuple[float, Any]]] = WeakKeyDictionary()
# Ids are 64-bit integers in the database.
LARGEST_ID = 2**63 - 1
# Before the commands in the reason of dead letters; pages have buttons for them.
COMMANDS = "\nDetails: flask "
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, eq=False)
class Visit(VisitorRequest):
    """A request with its visitor; `visitor` is None on the page for signing in."""

    services: Services
    request: Request
    visitor: Visitor | None
    now: datetime

    @property
    def whole(self) -> Inbox:
        """The whole inbox. Raises NotFound for a visitor who is limited to sites and projects."""
        if not self.sees_everything:
            raise NotFound("There is no such page.")
        return self.services.inbox

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of all times on the page."""
        return self.services.settings.zone

    @property
    def person(self) -> Visitor:
        """The visitor of a page that is not public."""
        if self.visitor is None:
            raise TypeError("A page for everyone has no visitor")
        return self.visitor

    def remember(self, name: str, seconds: float, find: Callable[[], T]) -> T:
        """Return what `find` has returned within the last seconds, for any visitor with the same scope."""
        at, name = time.monotonic(), f"{name} {self.person.scope}"
        own = _remembered.setdefault(self.services, {})
        known = own.get(name)
        if known is None or at - known[0] > seconds:
            known = own[name] = (at, find())
        found: T = known[1]
        return found

    def may(self, role: Role) -> bool:
        """Return whether the visitor may do what this role may."""
        return self.visitor is not None and permits(self.visitor.role, role)

    def length(self, incident: Incident) -> str:
        """Return how long an incident has lasted, in minutes at least: the page must not change every second."""
        seconds = incident.duration(self.now).total_seconds()
        return formats.duration(seconds - seconds % 60 if seconds >= 60 else 0).replace("0 ms", "now")

    def lasted(self, since: datetime) -> str:
        """Return the time since then in minutes."""
        seconds = (self.now - since).total_seconds()
        return formats.duration(seconds - seconds % 60) if seconds >= 60 else "now"

    def sentence(self, reason: str, most: int = 240) -> str:
        """Return a reason, cut and with a period, so that something can follow it; without commands."""
        text = cut(reason.strip().partition(COMMANDS)[0].replace("\n", " · "), most)
        return text if text.endswith((".", "!", "?", "…")) else f"{text}."

    def age(self, seconds: float) -> str:
        """Return how long ago something was, in minutes."""
        return "just now" if seconds < 60 else f"{formats.duration(seconds - seconds % 60)} ago"

    def refreshes(self, outcomes: Mapping[str, int], since: datetime) -> str:
        """Return how the refreshes since a time ended, as a sentence."""
        text = refreshes(outcomes, self.when(since))
        # Not `capitalize`, which would write 25 nov.
        return f"{text[:1].upper()}{text[1:]}."

    def field(self, name: str, *, most: int = 1000) -> str:
        """Return a field of the form that was sent. Raises BadRequest if it is too long."""
        value = self.request.form.get(name, "").strip()
        if len(value) > most:
            raise BadRequest(f"{name} has {len(value)} characters; {most} is the maximum.")
        return value

    def back(self, default: str) -> str:
        """Return the path that a form leads back to, which is on this server."""
        return own_path(self.request.form.get("next", ""), default)


def own_path(path: str, default: str) -> str:
    """Return the path if it is on this server."""
    # Tabs and newlines are left out of addresses, so that a tab between two slashes leads to another server:
    # https://url.spec.whatwg.org/#concept-basic-url-parser
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and not CONTROL.search(path)
    return path if is_own and len(path) < 2000 else default
