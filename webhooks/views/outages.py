"""The services that are unavailable: since when, and how many messages or other jobs wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from webhooks.sites import SERVICE
from webhooks.text import count
from webhooks.views.formats import iso
from webhooks.views.incident_wording import When

if TYPE_CHECKING:
    from webhooks.services import Services


@dataclass(frozen=True, slots=True)
class UnavailableService:
    """A service that is unavailable, named as people know it: `Slack`, `Requests crm`, `Tableau sales`.

    A site of Tableau does not respond; others accept no messages. Of those that wait, `uncertain` may have arrived.
    """

    name: str
    since: datetime
    waiting: int
    is_site: bool = False
    uncertain: int = 0

    def describe(self, when: When) -> str:
        """Return the state without the name: `no message accepted since 08:12, 3 messages wait`.

        A message whose response was lost may have been accepted: `no message confirmed since 08:12, 3 messages wait, 2
        of them may have arrived`.
        """
        failure, noun = ("no response", "job") if self.is_site else ("no message accepted", "message")
        waiting = f"{count(self.waiting, noun)} {'waits' if self.waiting == 1 else 'wait'}"
        if self.uncertain:
            failure = "no message confirmed"
            some = f", {self.uncertain} of them" if self.uncertain < self.waiting else " and"
            waiting += f"{some} may have arrived"
        return f"{failure} since {when(self.since)}, {waiting}"

    def as_object(self) -> dict[str, Any]:
        """Return the service as JSON."""
        return {"service": self.name, "since": iso(self.since), "waiting": self.waiting, "uncertain": self.uncertain}


def unavailable_services(services: Services) -> Sequence[UnavailableService]:
    """Return the services that are unavailable, the longest first."""
    found = []
    for outage in services.inbox.outages.list():
        kind, _, entry = outage.service.partition(" ")
        # A newer or older version of the server may have recorded a kind that this one does not have.
        label = services.notifiers[kind].label if kind in services.notifiers else kind
        is_site = kind == SERVICE
        name = f"{'Tableau' if is_site else label} {entry}".strip()
        found.append(UnavailableService(name, outage.since, outage.waiting, is_site, outage.uncertain))
    return found
