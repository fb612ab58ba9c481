"""What people say about data: labels, and the older data quality warnings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tableau_rest.models.content import Content
from tableau_rest.protocol.fields import Data, boolean, text, timestamp


@dataclass(frozen=True)
class Label:
    """A label on an asset. `value` as in "stale"; `category` as in "warning"; an elevated one is shown more loudly."""

    luid: str
    value: str = ""
    category: str = ""
    message: str = ""
    content: Content | None = None
    active: bool = True
    elevated: bool = False
    author_name: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            value=text(data, "value"),
            category=text(data, "category"),
            message=text(data, "message"),
            content=_content(data),
            active=boolean(data, "active") is not False,
            elevated=boolean(data, "elevated") or False,
            author_name=text(data, "userDisplayName"),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class QualityWarning:
    """A data quality warning. `type` is WARNING, DEPRECATED, STALE, SENSITIVE_DATA or MAINTENANCE."""

    luid: str
    type: str = ""
    message: str = ""
    content: Content | None = None
    is_active: bool = True
    is_severe: bool = False
    author_name: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            type=text(data, "type"),
            message=text(data, "message"),
            content=_content(data),
            is_active=boolean(data, "isActive") is not False,
            is_severe=boolean(data, "isSevere") or False,
            author_name=text(data, "userDisplayName"),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


def _content(data: Data) -> Content | None:
    luid = text(data, "contentId")
    return Content(text(data, "contentType").lower(), luid) if luid else None
