"""Views: get, list, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import child
from tableau_rest.protocol.luid import HasLuid, luid_of


class Views(Listing):
    """Views: sheets, dashboards and stories."""

    @endpoint("GET views/{id}", since="3.1", scope="tableau:content:read", codes="404011 NotFound")
    def view(self, luid: str | HasLuid) -> models.View:
        """One view, with the workbook it belongs to."""
        return models.View.from_json(child(self.request("GET", f"views/{luid_of(luid)}"), "view"))

    @endpoint("GET views", since="2.2", scope="tableau:content:read")
    def views(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE,
        fields: str = "",
    ) -> Iterator[models.View]:
        """The views the user may see. Filters: name, contentUrl, workbookName, projectName, ownerName, tags, …"""
        names, model = ("views", "view"), models.View.from_json
        return self._list("views", names, model, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("DELETE views/{id}", since="3.27", scope="tableau:views:delete", codes="404011 NotFound")
    def delete_view(self, luid: str | HasLuid) -> None:
        """Deletes one view; the rest of its workbook stays."""
        self.request("DELETE", f"views/{luid_of(luid)}")
