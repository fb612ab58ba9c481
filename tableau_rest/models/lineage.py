"""Lineage: the content that a data source or workbook depends on, and that depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from tableau_rest.models.model import Model, Reference, Source
from tableau_rest.protocol.fields import Data, text


@dataclass(frozen=True)
class Dependent(Model):
    """A workbook that uses a data source; the owner's e-mail address may be empty."""

    luid: str
    name: str = ""
    project_name: str = ""
    owner_name: str = ""
    owner_email: str = ""

    JSON: ClassVar[Mapping[str, Source]] = {
        "luid": "luid",
        "owner_name": ("owner", "name"),
        "owner_email": ("owner", "email"),
    }


@dataclass(frozen=True)
class Downstream:
    """The workbooks that use a data source. Not `complete` while Tableau is still building its index."""

    luid: str
    name: str
    workbooks: tuple[Dependent, ...]
    complete: bool

    @classmethod
    def of(cls, luid: str, datasource: Data, workbooks: Iterable[Data], *, complete: bool) -> Self:
        """Return the workbooks of a data source as the Metadata API describes both."""
        return cls(luid, text(datasource, "name"), tuple(map(Dependent.from_json, workbooks)), complete)


@dataclass(frozen=True)
class Upstream:
    """The published data sources and the tables that a workbook uses."""

    luid: str
    name: str
    datasources: tuple[Reference, ...]
    tables: tuple[str, ...]
    complete: bool


@dataclass(frozen=True)
class Database(Model):
    """A database that content reads. `host` and `port` are those of a server; files have none."""

    type: str = ""
    name: str = ""
    connection_type: str = ""
    host: str = ""
    port: str = ""

    JSON: ClassVar[Mapping[str, Source]] = {"type": "__typename", "host": "hostName"}

    @property
    def is_server(self) -> bool:
        """Return whether it is a server, and not a file or a web data connector."""
        return self.type == "DatabaseServer" or bool(self.host)
