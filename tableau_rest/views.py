"""Views: get, list, delete."""

from __future__ import annotations

from tableau_rest import models
from tableau_rest.call import rest
from tableau_rest.fields import child
from tableau_rest.listing import Lists
from tableau_rest.luid import HasLuid, luid_of


class Views(Lists):
    """Calls about views: sheets, dashboards and stories."""

    @rest("GET views/{id}", since="3.1", scope="tableau:content:read", codes="404011 NotFound")
    def view(self, luid: str | HasLuid) -> models.View:
        """One view, with the workbook it belongs to."""
        return models.View.from_json(child(self.request("GET", f"views/{luid_of(luid)}"), "view"))
