"""Published data sources: get, list, update, certify, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.endpoints.update_body import update_body
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.transport import CALL_TIMEOUTS, Timeouts

_UPDATE = "tableau:datasources:update"


class Datasources(Listing):
    """Data sources.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_data_sources.htm
    """

    @endpoint("GET datasources/{id}", since="2.0", scope="tableau:content:read", codes="404004 NotFound")
    def datasource(self, luid: str | HasLuid) -> models.Datasource:
        """Return a published data source with its owner, project and tags."""
        return self._get(models.Datasource, f"datasources/{luid_of(luid)}", "datasource")

    @endpoint("GET datasources", since="2.0", scope="tableau:content:read")
    def datasources(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE_SIZE,
        fields: str = "",
    ) -> Iterator[models.Datasource]:
        """Iterate over the data sources that the user may see.

        Filters: name, projectName, ownerName, tags, type, isCertified, …
        """
        names, model = ("datasources", "datasource"), models.Datasource
        return self._list("datasources", names, model, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("GET datasources/{id}/connections", since="2.0", scope="tableau:content:read", codes="404004 NotFound")
    def datasource_connections(
        self, luid: str | HasLuid, *, timeouts: Timeouts = CALL_TIMEOUTS
    ) -> tuple[models.Connection, ...]:
        """Return the connections of a data source to databases."""
        return self._connections(f"datasources/{luid_of(luid)}", timeouts)

    @endpoint("PUT datasources/{id}", since="2.0", scope=_UPDATE, codes="404004 NotFound, 403004 Forbidden")
    def update_datasource(
        self,
        luid: str | HasLuid,
        *,
        name: str | None = None,
        project: str | HasLuid | None = None,
        owner: str | HasLuid | None = None,
        description: str | None = None,
        is_certified: bool | None = None,
        certification_note: str | None = None,
    ) -> models.Datasource:
        """Rename, move, certify a data source or give it another owner; None leaves a field unchanged.

        May cause a DatasourceUpdated event.
        """
        body = update_body(
            name=name,
            project=project,
            owner=owner,
            description=description,
            isCertified=is_certified,
            certificationNote=certification_note,
        )
        response = self.request("PUT", f"datasources/{luid_of(luid)}", json={"datasource": body}, repeat=True)
        return self._read(models.Datasource, response, "datasource")

    @endpoint("PUT datasources/{id}", since="2.8", scope=_UPDATE, codes="404004 NotFound, 403004 Forbidden")
    def certify_datasource(self, luid: str | HasLuid, note: str = "") -> models.Datasource:
        """Certify a data source, with a note for its users."""
        return self.update_datasource(luid, is_certified=True, certification_note=note)

    @endpoint("PUT datasources/{id}", since="2.8", scope=_UPDATE, codes="404004 NotFound, 403004 Forbidden")
    def uncertify_datasource(self, luid: str | HasLuid) -> models.Datasource:
        """Remove the certification of a data source, and its note."""
        return self.update_datasource(luid, is_certified=False, certification_note="")

    @endpoint("DELETE datasources/{id}", since="2.0", scope="tableau:datasources:delete", codes="404004 NotFound")
    def delete_datasource(self, luid: str | HasLuid) -> None:
        """Delete a data source. Tableau Cloud may keep it in its recycle bin; Server does not."""
        self.request("DELETE", f"datasources/{luid_of(luid)}")
