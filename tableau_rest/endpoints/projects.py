"""Projects: list them, find one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of


class Projects(Listing):
    """Projects.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_projects.htm
    """

    @endpoint("GET projects", since="2.0", scope="tableau:content:read")
    def projects(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.Project]:
        """Iterate over the projects that the user may see.

        Filters: name, parentProjectId, topLevelProject, ownerName, createdAt, …
        """
        names = ("projects", "project")
        return self._list("projects", names, models.Project, filters, sort=sort, page_size=page_size)

    @endpoint("GET projects", since="2.0", scope="tableau:content:read", codes="404005 NotFound")
    def project(self, luid: str | HasLuid) -> models.Project:
        """Return one project. Tableau has no call for one, so the list is searched."""
        wanted = luid_of(luid).lower()
        found = next((project for project in self.projects() if project.luid.lower() == wanted), None)
        if found is None:
            raise errors.NotFound("Resource Not Found", detail=f"no project {wanted}", status=404, code="404005")
        return found
