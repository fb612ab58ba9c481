"""Published content: workbooks, data sources, views, flows, and the projects that contain them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tableau_rest.models.model import NO_REFERENCE, Model, Reference, Source
from tableau_rest.protocol.fields import objects


@dataclass(frozen=True)
class Content:
    """Content by its kind ("workbook", "datasource", "view", "flow", "subscription") and LUID, without other fields."""

    kind: str
    luid: str


@dataclass(frozen=True)
class View(Model):
    """A sheet, dashboard or story of a workbook. `location_type` as in Workbook."""

    luid: str
    name: str = ""
    content_url: str = ""
    workbook: Reference = NO_REFERENCE
    owner: Reference = NO_REFERENCE
    project: Reference = NO_REFERENCE
    tags: tuple[str, ...] = ()
    location_type: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    kind = "view"

    JSON: ClassVar[Mapping[str, Source]] = {"location_type": ("location", "type")}


@dataclass(frozen=True)
class Workbook(Model):
    """A workbook. `views` is filled by `workbook()`, and empty in lists.

    `location_type` is "Project" or "PersonalSpace"; in a Personal Space it has no project. Older servers leave it out.
    """

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
    location_type: str = ""
    show_tabs: bool | None = None
    has_extracts: bool | None = None
    size_megabytes: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    kind = "workbook"

    JSON: ClassVar[Mapping[str, Source]] = {
        "views": lambda data: tuple(map(View.from_json, objects(data, "views", "view"))),
        "default_view_luid": "defaultViewId",
        "location_type": ("location", "type"),
        "size_megabytes": "size",
    }


@dataclass(frozen=True)
class Datasource(Model):
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

    JSON: ClassVar[Mapping[str, Source]] = {"size_megabytes": "size"}


@dataclass(frozen=True)
class Flow(Model):
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


@dataclass(frozen=True)
class Project(Model):
    """A project; `parent_luid` is empty at the top level."""

    luid: str
    name: str = ""
    description: str = ""
    parent_luid: str = ""
    owner: Reference = NO_REFERENCE
    content_permissions: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    JSON: ClassVar[Mapping[str, Source]] = {"parent_luid": "parentProjectId"}


@dataclass(frozen=True)
class Connection(Model):
    """A connection of a workbook or data source. `datasource` is the published one that a workbook connects to."""

    luid: str
    type: str = ""
    server: str = ""
    port: str = ""
    username: str = ""
    embeds_password: bool | None = None
    datasource: Reference = NO_REFERENCE

    JSON: ClassVar[Mapping[str, Source]] = {
        "server": "serverAddress",
        "port": "serverPort",
        "username": "userName",
        "embeds_password": "embedPassword",
    }
