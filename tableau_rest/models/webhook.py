"""Webhooks as Tableau keeps them, and the outcome of a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from tableau_rest.models.content import NO_REFERENCE, Reference
from tableau_rest.protocol.fields import Data, boolean, child, number, text, timestamp
from tableau_rest.protocol.webhook_events import event_of


@dataclass(frozen=True)
class Webhook:
    """One webhook: one event to one URL. The URL often carries a secret, so it is not part of the repr."""

    luid: str
    name: str = ""
    event: str = ""
    url: str = field(default="", repr=False)
    is_enabled: bool = True
    reason: str = ""
    owner: Reference = NO_REFERENCE
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        source = next(iter(child(data, "webhook-source")), "")
        enabled = boolean(data, "isEnabled")
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            event=text(data, "event") or (event_of(source) if source else ""),
            url=text(child(child(data, "webhook-destination"), "webhook-destination-http"), "url"),
            is_enabled=True if enabled is None else enabled,  # servers before 2020.2 do not say
            reason=text(data, "statusChangeReason"),
            owner=Reference.from_json(child(data, "owner")),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class WebhookTest:
    """What the receiver answered to a test. 408 is Tableau's own word for "could not reach it in time".

    `call_status` is the HTTP status of the call that asked for the test: a test can fail in both places.
    """

    luid: str
    status: int
    body: str = ""
    call_status: int = 200

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and 200 <= self.call_status < 300

    @classmethod
    def from_json(cls, data: Data, call_status: int = 200) -> Self:
        return cls(text(data, "id"), number(data, "status") or 0, text(data, "body"), call_status)
