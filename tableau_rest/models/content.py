"""Published content: workbooks, data sources, views, and how one thing refers to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tableau_rest.protocol.fields import Data, boolean, child, number, objects, tags, text, timestamp


@dataclass(frozen=True)
class Reference:
    """One thing named by another: the owner of a workbook, the project of a data source. Name may be empty."""

    luid: str = ""
    name: str = ""

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(text(data, "id"), text(data, "name"))


NO_REFERENCE = Reference()


@dataclass(frozen=True)
class Content:
    """Content by its kind ("workbook", "datasource", "view", "flow") and LUID, where the whole of it is not at hand."""

    kind: str
    luid: str


@dataclass(frozen=True)
class View:
    """A sheet, dashboard or story of a workbook."""

    luid: str
    name: str = ""
    content_url: str = ""
    workbook: Reference = NO_REFERENCE
    owner: Reference = NO_REFERENCE
    project: Reference = NO_REFERENCE
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    kind = "view"

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            content_url=text(data, "contentUrl"),
            workbook=Reference.from_json(child(data, "workbook")),
            owner=Reference.from_json(child(data, "owner")),
            project=Reference.from_json(child(data, "project")),
            tags=tags(data),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class Workbook:
    """A workbook. `views` is filled by `workbook()`, and empty in lists."""

    luid: str
    name: str = ""
    description: str = ""
    content_url: str = ""
    webpage_url: str = ""
    project: Reference = NO_REFERENCE
    owner: Reference = NO_REFERENCE
    tags: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    default_view_luid: str = ""
    show_tabs: bool | None = None
    has_extracts: bool | None = None
    size_megabytes: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    kind = "workbook"

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            description=text(data, "description"),
            content_url=text(data, "contentUrl"),
            webpage_url=text(data, "webpageUrl"),
            project=Reference.from_json(child(data, "project")),
            owner=Reference.from_json(child(data, "owner")),
            tags=tags(data),
            views=tuple(map(View.from_json, objects(data, "views", "view"))),
            default_view_luid=text(data, "defaultViewId"),
            show_tabs=boolean(data, "showTabs"),
            has_extracts=boolean(data, "hasExtracts"),
            size_megabytes=number(data, "size"),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class Datasource:
    """A published data source. `type` is the connector, as in "sqlserver"."""

    luid: str
    name: str = ""
    description: str = ""
    content_url: str = ""
    webpage_url: str = ""
    type: str = ""
    project: Reference = NO_REFERENCE
    owner: Reference = NO_REFERENCE
    tags: tuple[str, ...] = ()
    is_certified: bool = False
    certification_note: str = ""
    has_extracts: bool | None = None
    size_megabytes: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    kind = "datasource"

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            description=text(data, "description"),
            content_url=text(data, "contentUrl"),
            webpage_url=text(data, "webpageUrl"),
            type=text(data, "type"),
            project=Reference.from_json(child(data, "project")),
            owner=Reference.from_json(child(data, "owner")),
            tags=tags(data),
            is_certified=boolean(data, "isCertified") or False,
            certification_note=text(data, "certificationNote"),
            has_extracts=boolean(data, "hasExtracts"),
            size_megabytes=number(data, "size"),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class Flow:
    """A Prep flow."""

    luid: str
    name: str = ""
    description: str = ""
    webpage_url: str = ""
    file_type: str = ""
    project: Reference = NO_REFERENCE
    owner: Reference = NO_REFERENCE
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    kind = "flow"

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            description=text(data, "description"),
            webpage_url=text(data, "webpageUrl"),
            file_type=text(data, "fileType"),
            project=Reference.from_json(child(data, "project")),
            owner=Reference.from_json(child(data, "owner")),
            tags=tags(data),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class Project:
    """A project; `parent_luid` is empty at the top."""

    luid: str
    name: str = ""
    description: str = ""
    parent_luid: str = ""
    owner: Reference = NO_REFERENCE
    content_permissions: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            description=text(data, "description"),
            parent_luid=text(data, "parentProjectId"),
            owner=Reference.from_json(child(data, "owner")),
            content_permissions=text(data, "contentPermissions"),
            created_at=timestamp(data, "createdAt"),
            updated_at=timestamp(data, "updatedAt"),
        )


@dataclass(frozen=True)
class Connection:
    """What a workbook or data source connects to. `datasource` is a published one, where it connects to such."""

    luid: str
    type: str = ""
    server: str = ""
    port: str = ""
    username: str = ""
    embeds_password: bool | None = None
    datasource: Reference = NO_REFERENCE

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            type=text(data, "type"),
            server=text(data, "serverAddress"),
            port=text(data, "serverPort"),
            username=text(data, "userName"),
            embeds_password=boolean(data, "embedPassword"),
            datasource=Reference.from_json(child(data, "datasource")),
        )
