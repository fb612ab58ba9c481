"""Workbooks: get, list, change, delete."""

from __future__ import annotations

from tableau_rest import models
from tableau_rest.call import rest
from tableau_rest.fields import child
from tableau_rest.listing import Lists
from tableau_rest.luid import HasLuid, luid_of


class Workbooks(Lists):
    """Calls about workbooks."""

    @rest("GET workbooks/{id}", since="2.0", scope="tableau:content:read", codes="404006 NotFound")
    def workbook(self, luid: str | HasLuid) -> models.Workbook:
        """One workbook, with its owner, project, tags and views."""
        return models.Workbook.from_json(child(self.request("GET", f"workbooks/{luid_of(luid)}"), "workbook"))
