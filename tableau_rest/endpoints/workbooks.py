"""Workbooks: get, list, update, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.endpoints.update_body import update_body
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.transport import CALL_TIMEOUTS, Timeouts

_UPDATE = "tableau:workbooks:update"


class Workbooks(Listing):
    """Workbooks.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm
    """

    @endpoint("GET workbooks/{id}", since="2.0", scope="tableau:content:read", codes="404006 NotFound")
    def workbook(self, luid: str | HasLuid) -> models.Workbook:
        """Return a workbook with its owner, project, tags and views."""
        return self._get(models.Workbook, f"workbooks/{luid_of(luid)}", "workbook")

    @endpoint("GET workbooks", since="2.0", scope="tableau:content:read")
    def workbooks(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE_SIZE,
        fields: str = "",
    ) -> Iterator[models.Workbook]:
        """Iterate over the workbooks that the user may see.

        Filters: name, projectName, ownerName, tags, createdAt, updatedAt, …
        """
        names = ("workbooks", "workbook")
        return self._list("workbooks", names, models.Workbook, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("GET workbooks/{id}/connections", since="2.0", scope="tableau:content:read", codes="404006 NotFound")
    def workbook_connections(
        self, luid: str | HasLuid, *, timeouts: Timeouts = CALL_TIMEOUTS
    ) -> tuple[models.Connection, ...]:
        """Return the connections of a workbook to databases and published data sources."""
        return self._connections(f"workbooks/{luid_of(luid)}", timeouts)

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
        """Rename a workbook, move it to a project or give it another owner; None leaves a field unchanged.

        May cause a WorkbookUpdated event.
        """
        body = update_body(name=name, project=project, owner=owner, description=description, showTabs=show_tabs)
        response = self.request("PUT", f"workbooks/{luid_of(luid)}", json={"workbook": body}, repeat=True)
        return self._read(models.Workbook, response, "workbook")

    @endpoint("DELETE workbooks/{id}", since="2.0", scope="tableau:workbooks:delete", codes="404006 NotFound")
    def delete_workbook(self, luid: str | HasLuid) -> None:
        """Delete a workbook. Tableau Cloud may keep it in its recycle bin; Server does not."""
        self.request("DELETE", f"workbooks/{luid_of(luid)}")
