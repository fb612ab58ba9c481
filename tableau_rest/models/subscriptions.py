"""Mails Tableau sends by itself: subscriptions and data-driven alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tableau_rest.models.content import NO_REFERENCE, Content, Reference
from tableau_rest.protocol.fields import Data, boolean, child, objects, text, timestamp


@dataclass(frozen=True)
class Subscription:
    """A picture of a view or workbook, mailed on a schedule."""

    luid: str
    subject: str = ""
    message: str = ""
    content: Content | None = None
    user: Reference = NO_REFERENCE
    schedule: Reference = NO_REFERENCE
    attach_image: bool | None = None
    attach_pdf: bool | None = None
    suspended: bool | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        about = child(data, "content")
        return cls(
            luid=text(data, "id"),
            subject=text(data, "subject"),
            message=text(data, "message"),
            content=Content(text(about, "type").lower(), text(about, "id")) if about else None,
            user=Reference.from_json(child(data, "user")),
            schedule=Reference.from_json(child(data, "schedule")),
            attach_image=boolean(data, "attachImage"),
            attach_pdf=boolean(data, "attachPdf"),
            suspended=boolean(data, "suspended"),
        )


@dataclass(frozen=True)
class DataAlert:
    """A mail when a number passes a threshold."""

    luid: str
    subject: str = ""
    frequency: str = ""
    public: bool | None = None
    owner: Reference = NO_REFERENCE
    view: Reference = NO_REFERENCE
    workbook: Reference = NO_REFERENCE
    project: Reference = NO_REFERENCE
    recipients: tuple[Reference, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        view = child(data, "view")
        return cls(
            luid=text(data, "id"),
            subject=text(data, "subject"),
            frequency=text(data, "frequency"),
            public=boolean(data, "public"),
            owner=Reference.from_json(child(data, "owner")),
            view=Reference.from_json(view),
            workbook=Reference.from_json(child(view, "workbook")),
            project=Reference.from_json(child(view, "project")),
            recipients=tuple(map(Reference.from_json, objects(data, "recipients", "recipient"))),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )
