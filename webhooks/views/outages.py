"""The services that accept no messages: since when, and how many messages wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from webhooks.text import count
from webhooks.views.formats import iso
from webhooks.views.incident_wording import When

if TYPE_CHECKING:
    from webhooks.services import Services


@dataclass(frozen=True, slots=True)
class UnavailableService:
    """A service that accepts no messages, named as people know it: `Slack`, `Requests crm`."""

    name: str
    since: datetime
    waiting: int

    def describe(self, when: When) -> str:
        """Return the state without the name: `no message accepted since 08:12, 3 messages wait`."""
        waiting = f"{count(self.waiting, 'message')} {'waits' if self.waiting == 1 else 'wait'}"
        return f"no message accepted since {when(self.since)}, {waiting}"

    def as_object(self) -> dict[str, Any]:
        """Return the service as JSON."""
        return {"service": self.name, "since": iso(self.since), "waiting": self.waiting}


def unavailable_services(services: Services) -> Sequence[UnavailableService]:
    """Return the services that are unavailable, the longest first."""
    found = []
    for outage in services.inbox.outages.list():
        kind, _, entry = outage.service.partition(" ")
        # A newer or older version of the server may have recorded a kind that this one does not have.
        label = services.notifiers[kind].label if kind in services.notifiers else kind
        found.append(UnavailableService(f"{label} {entry}".strip(), outage.since, outage.waiting))
    return found
