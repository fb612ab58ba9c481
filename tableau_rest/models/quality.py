"""Statements about the quality of data: labels, and the older data quality warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tableau_rest.models.content import Content
from tableau_rest.models.model import Model, Source
from tableau_rest.protocol.fields import Data, text


def _content(data: Data) -> Content | None:
    luid = text(data, "contentId")
    return Content(text(data, "contentType").lower(), luid) if luid else None


@dataclass(frozen=True)
class Label(Model):
    """A label on an asset. `value` as in "stale"; `category` as in "warning"; `elevated`: shown more prominently."""

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

    JSON: ClassVar[Mapping[str, Source]] = {"content": _content, "author_name": "userDisplayName"}


@dataclass(frozen=True)
class QualityWarning(Model):
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

    JSON: ClassVar[Mapping[str, Source]] = {"content": _content, "author_name": "userDisplayName"}
