"""What depends on what, as the Metadata API tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tableau_rest.models.content import Reference
from tableau_rest.protocol.fields import Data, child, text


@dataclass(frozen=True)
class Dependent:
    """A workbook that uses a data source; the owner's e-mail may be empty."""

    luid: str
    name: str = ""
    project_name: str = ""
    owner_name: str = ""
    owner_email: str = ""

    @classmethod
    def from_json(cls, data: Data) -> Self:
        owner = child(data, "owner")
        return cls(
            luid=text(data, "luid"),
            name=text(data, "name"),
            project_name=text(data, "projectName"),
            owner_name=text(owner, "name"),
            owner_email=text(owner, "email"),
        )


@dataclass(frozen=True)
class Downstream:
    """The workbooks a data source feeds. Not `complete` while Tableau is still building its index."""

    luid: str
    name: str
    workbooks: tuple[Dependent, ...]
    complete: bool


@dataclass(frozen=True)
class Upstream:
    """The published data sources and the tables a workbook lives on."""

    luid: str
    name: str
    datasources: tuple[Reference, ...]
    tables: tuple[str, ...]
    complete: bool
