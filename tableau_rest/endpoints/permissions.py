"""Permissions: the capabilities that users and groups have on content."""

from __future__ import annotations

from typing import Protocol

from tableau_rest import errors, models
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol.fields import objects
from tableau_rest.protocol.luid import luid_of

KINDS = ("workbook", "datasource", "view", "flow", "project")


class HasKind(Protocol):
    """A Workbook, Datasource, View or Flow, or a Content that names one of them or a project."""

    @property
    def kind(self) -> str: ...
    @property
    def luid(self) -> str: ...


class Permissions(Connection):
    """Permissions.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_permissions.htm
    """

    @endpoint(
        "GET workbooks|datasources|views|flows|projects/{id}/permissions",
        since="2.0",
        scope="tableau:permissions:read",
        codes="404 NotFound, 403004 Forbidden",
    )
    def permissions(self, content: HasKind) -> tuple[models.Permission, ...]:
        """Return every capability that is explicitly allowed or denied on the content, with its user or group."""
        if content.kind not in KINDS:
            raise ValueError(f"a {content.kind} has no permissions; these have: {', '.join(KINDS)}")
        found = self.request("GET", f"{content.kind}s/{luid_of(content)}/permissions")
        if "permissions" not in found:
            raise errors.InvalidResponse("Tableau's response has no permissions")
        grants = objects(found, "permissions", "granteeCapabilities")
        return tuple(permission for grant in grants for permission in models.Permission.from_grant(grant))
