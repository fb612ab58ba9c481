"""Workbooks: get, list, change, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.endpoints.update_body import changes
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import child, objects
from tableau_rest.protocol.luid import HasLuid, luid_of

_UPDATE = "tableau:workbooks:update"


class Workbooks(Listing):
    """Workbooks."""

    @endpoint("GET workbooks/{id}", since="2.0", scope="tableau:content:read", codes="404006 NotFound")
    def workbook(self, luid: str | HasLuid) -> models.Workbook:
        """One workbook, with its owner, project, tags and views."""
        return models.Workbook.from_json(child(self.request("GET", f"workbooks/{luid_of(luid)}"), "workbook"))

    @endpoint("GET workbooks", since="2.0", scope="tableau:content:read")
    def workbooks(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE,
        fields: str = "",
    ) -> Iterator[models.Workbook]:
        """The workbooks the user may see. Filters: name, projectName, ownerName, tags, createdAt, updatedAt, …"""
        names, model = ("workbooks", "workbook"), models.Workbook.from_json
        return self._list("workbooks", names, model, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("GET workbooks/{id}/connections", since="2.0", scope="tableau:content:read", codes="404006 NotFound")
    def workbook_connections(self, luid: str | HasLuid) -> tuple[models.Connection, ...]:
        """What the workbook connects to."""
        found = self.request("GET", f"workbooks/{luid_of(luid)}/connections")
        return tuple(map(models.Connection.from_json, objects(found, "connections", "connection")))

    @endpoint("PUT workbooks/{id}", since="2.0", scope=_UPDATE, codes="404006 NotFound, 403004 Forbidden")
    def update_workbook(
        self,
        luid: str | HasLuid,
        *,
        name: str | None = None,
        project: str | HasLuid | None = None,
        owner: str | HasLuid | None = None,
        description: str | None = None,
        show_tabs: bool | None = None,
    ) -> models.Workbook:
        """Renames it, moves it to a project, gives it to an owner; what is None stays. May cause a WorkbookUpdated."""
        body = changes(name=name, project=project, owner=owner, description=description, showTabs=show_tabs)
        answer = self.request("PUT", f"workbooks/{luid_of(luid)}", json={"workbook": body}, repeat=True)
        return models.Workbook.from_json(child(answer, "workbook"))

    @endpoint("DELETE workbooks/{id}", since="2.0", scope="tableau:workbooks:delete", codes="404006 NotFound")
    def delete_workbook(self, luid: str | HasLuid) -> None:
        """Deletes a workbook. Cloud may keep it in its recycle bin; Server does not."""
        self.request("DELETE", f"workbooks/{luid_of(luid)}")
