"""Preview images: small PNGs that Tableau has rendered already."""

from __future__ import annotations

from tableau_rest import errors
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.responses import refuse_page

_SCOPE = "tableau:views:download"


class Previews(Connection):
    """Preview images.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm
    """

    @endpoint("GET workbooks/{id}/previewImage", since="2.0", scope=_SCOPE, codes="404006 NotFound")
    def workbook_preview_image(self, luid: str | HasLuid) -> bytes:
        """Return the workbook's last thumbnail, a PNG; a grey one if user filters or row-level security apply."""
        return self._preview(f"workbooks/{luid_of(luid)}/previewImage")

    @endpoint("GET workbooks/{id}/views/{id}/previewImage", since="2.0", scope=_SCOPE, codes="404011 NotFound")
    def view_preview_image(self, workbook: str | HasLuid, view: str | HasLuid) -> bytes:
        """Return the last thumbnail of one view of a workbook, a PNG."""
        return self._preview(f"workbooks/{luid_of(workbook)}/views/{luid_of(view)}/previewImage")

    def _preview(self, path: str) -> bytes:
        response = self._send("GET", path, accept="*/*")
        refuse_page(response.headers)
        if not response.body:
            raise errors.InvalidResponse("Tableau's response has no image, it is empty")
        return response.body
