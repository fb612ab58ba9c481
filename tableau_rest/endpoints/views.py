"""Views: get, list, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of


class Views(Listing):
    """Views: sheets, dashboards and stories.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm
    """

    @endpoint("GET views/{id}", since="3.1", scope="tableau:content:read", codes="404011 NotFound")
    def view(self, luid: str | HasLuid) -> models.View:
        """Return a view with the workbook that contains it."""
        return self._get(models.View, f"views/{luid_of(luid)}", "view")

    @endpoint("GET views", since="2.2", scope="tableau:content:read")
    def views(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE_SIZE,
        fields: str = "",
    ) -> Iterator[models.View]:
        """Iterate over the views that the user may see.

        Filters: name, contentUrl, workbookName, projectName, ownerName, tags, …
        """
        names = ("views", "view")
        return self._list("views", names, models.View, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("DELETE views/{id}", since="3.27", scope="tableau:views:delete", codes="404011 NotFound")
    def delete_view(self, luid: str | HasLuid) -> None:
        """Delete one view of a workbook."""
        self.request("DELETE", f"views/{luid_of(luid)}")
