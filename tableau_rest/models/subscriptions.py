"""E-mails that Tableau itself sends: subscriptions and data-driven alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tableau_rest.models.content import Content
from tableau_rest.models.model import NO_REFERENCE, Model, Reference, Source
from tableau_rest.protocol.fields import Data, child, objects, text


def _content(data: Data) -> Content | None:
    content = child(data, "content")
    return Content(text(content, "type").lower(), text(content, "id")) if content else None


@dataclass(frozen=True)
class Subscription(Model):
    """An image of a view or workbook that is e-mailed on a schedule."""

    luid: str
    subject: str = ""
    message: str = ""
    content: Content | None = None
    user: Reference = NO_REFERENCE
    schedule: Reference = NO_REFERENCE
    attach_image: bool | None = None
    attach_pdf: bool | None = None
    suspended: bool | None = None

    JSON: ClassVar[Mapping[str, Source]] = {"content": _content}


@dataclass(frozen=True)
class DataAlert(Model):
    """An e-mail that is sent when a number crosses a threshold."""

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

    JSON: ClassVar[Mapping[str, Source]] = {
        "workbook": ("view", "workbook"),
        "project": ("view", "project"),
        "recipients": lambda data: tuple(map(Reference.from_json, objects(data, "recipients", "recipient"))),
    }
