"""Webhooks as Tableau stores them, and the result of a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from tableau_rest.models.model import NO_REFERENCE, Model, Reference, Source
from tableau_rest.protocol.fields import Data, child, text
from tableau_rest.protocol.webhook_events import event_of


def _event(data: Data) -> str:
    source = next(iter(child(data, "webhook-source")), "")
    return text(data, "event") or (event_of(source) if source else "")


@dataclass(frozen=True)
class Webhook(Model):
    """A webhook that sends one event to one URL. The URL often contains a secret, so it is not part of the repr.

    Servers before 2020.2 do not say whether a webhook is enabled; there it is taken for enabled.
    """

    luid: str
    name: str = ""
    event: str = ""
    url: str = field(default="", repr=False)
    is_enabled: bool = True
    reason: str = ""
    owner: Reference = NO_REFERENCE
    created_at: datetime | None = None
    updated_at: datetime | None = None

    JSON: ClassVar[Mapping[str, Source]] = {
        "event": _event,
        "url": ("webhook-destination", "webhook-destination-http", "url"),
        "reason": "statusChangeReason",
    }


@dataclass(frozen=True)
class WebhookTest:
    """The response of a webhook's receiver to a test; 408 is Tableau's own status for a receiver that did not respond.

    `call_status` is the HTTP status of the call that started the test: a test can fail in either.
    """

    luid: str
    status: int
    body: str = ""
    call_status: int = 200

    @property
    def ok(self) -> bool:
        """True if the receiver accepted the test."""
        return 200 <= self.status < 300 and 200 <= self.call_status < 300
