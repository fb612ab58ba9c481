"""Published data sources: get, list, change, certify, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.endpoints.update_body import changes
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import child, objects
from tableau_rest.protocol.luid import HasLuid, luid_of

_UPDATE = "tableau:datasources:update"


class Datasources(Listing):
    """Data sources."""

    @endpoint("GET datasources/{id}", since="2.0", scope="tableau:content:read", codes="404004 NotFound")
    def datasource(self, luid: str | HasLuid) -> models.Datasource:
        """One published data source, with its owner, project and tags."""
        return models.Datasource.from_json(child(self.request("GET", f"datasources/{luid_of(luid)}"), "datasource"))

    @endpoint("GET datasources", since="2.0", scope="tableau:content:read")
    def datasources(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE,
        fields: str = "",
    ) -> Iterator[models.Datasource]:
        """The data sources the user may see. Filters: name, projectName, ownerName, tags, type, isCertified, …"""
        names, model = ("datasources", "datasource"), models.Datasource.from_json
        return self._list("datasources", names, model, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("GET datasources/{id}/connections", since="2.0", scope="tableau:content:read", codes="404004 NotFound")
    def datasource_connections(self, luid: str | HasLuid) -> tuple[models.Connection, ...]:
        """What the data source connects to."""
        found = self.request("GET", f"datasources/{luid_of(luid)}/connections")
        return tuple(map(models.Connection.from_json, objects(found, "connections", "connection")))

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
        """Renames, moves, re-owns or certifies it; what is None stays. May cause a DatasourceUpdated."""
        body = changes(
            name=name,
            project=project,
            owner=owner,
            description=description,
            isCertified=is_certified,
            certificationNote=certification_note,
        )
        answer = self.request("PUT", f"datasources/{luid_of(luid)}", json={"datasource": body}, repeat=True)
        return models.Datasource.from_json(child(answer, "datasource"))

    @endpoint("PUT datasources/{id}", since="2.8", scope=_UPDATE, codes="404004 NotFound, 403004 Forbidden")
    def certify_datasource(self, luid: str | HasLuid, note: str = "") -> models.Datasource:
        """Certifies a data source, with a note for its users."""
        return self.update_datasource(luid, is_certified=True, certification_note=note)

    @endpoint("DELETE datasources/{id}", since="2.0", scope="tableau:datasources:delete", codes="404004 NotFound")
    def delete_datasource(self, luid: str | HasLuid) -> None:
        """Deletes a data source. Cloud may keep it in its recycle bin; Server does not."""
        self.request("DELETE", f"datasources/{luid_of(luid)}")
