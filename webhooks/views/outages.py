"""Say which services accept no messages, since when, and how many messages wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from webhooks.text import count
from webhooks.views.formats import local_time

if TYPE_CHECKING:
    from webhooks.services import Services


def unavailable_services(services: Services, now: datetime) -> Iterator[tuple[str, str]]:
    """Return the name of each service that is unavailable, and the state: `no message accepted since 08:12, 3 wait`."""
    for outage in services.inbox.outages.list():
        kind, _, entry = outage.service.partition(" ")
        label = services.notifiers[kind].label
        since = local_time(outage.since, now, services.settings.zone)
        waiting = f"{count(outage.waiting, 'message')} {'waits' if outage.waiting == 1 else 'wait'}"
        yield f"{label} {entry}".strip(), f"no message accepted since {since}, {waiting}"
