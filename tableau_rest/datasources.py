"""Published data sources: get, list, change, certify, delete."""

from __future__ import annotations

from tableau_rest import models
from tableau_rest.call import rest
from tableau_rest.fields import child
from tableau_rest.listing import Lists
from tableau_rest.luid import HasLuid, luid_of


class Datasources(Lists):
    """Calls about data sources."""

    @rest("GET datasources/{id}", since="2.0", scope="tableau:content:read", codes="404004 NotFound")
    def datasource(self, luid: str | HasLuid) -> models.Datasource:
        """One published data source, with its owner, project and tags."""
        return models.Datasource.from_json(child(self.request("GET", f"datasources/{luid_of(luid)}"), "datasource"))
