"""Preview pictures: small PNGs that Tableau keeps anyway."""

from __future__ import annotations

from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol import responses
from tableau_rest.protocol.luid import HasLuid, luid_of

_SCOPE = "tableau:views:download"


class Previews(Connection):
    """Preview pictures."""

    @endpoint("GET workbooks/{id}/previewImage", since="2.0", scope=_SCOPE, codes="404006 NotFound")
    def workbook_preview_image(self, luid: str | HasLuid) -> bytes:
        """The workbook's last thumbnail, a PNG. Grey where user filters or row-level security apply."""
        return self._picture(f"workbooks/{luid_of(luid)}/previewImage")

    @endpoint("GET workbooks/{id}/views/{id}/previewImage", since="2.0", scope=_SCOPE, codes="404011 NotFound")
    def view_preview_image(self, workbook: str | HasLuid, view: str | HasLuid) -> bytes:
        """The last thumbnail of one view of a workbook, a PNG."""
        return self._picture(f"workbooks/{luid_of(workbook)}/views/{luid_of(view)}/previewImage")

    def _picture(self, path: str) -> bytes:
        answer = self._answer("GET", path, accept="*/*")
        responses.refuse_page(answer.headers)
        return answer.body
