"""Users, groups, sites and the server itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of

_READ = "tableau:users:read"


class Users(Listing):
    """Users, groups, site and server.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_users_and_groups.htm
    """

    @endpoint("GET users/{id}", since="2.0", scope=_READ, codes="404002 NotFound")
    def user(self, luid: str | HasLuid) -> models.User:
        """Return a user: name, site role, and the e-mail address if the server has it."""
        return self._get(models.User, f"users/{luid_of(luid)}", "user")

    @endpoint("GET users", since="2.0", scope=_READ)
    def users(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE_SIZE,
        fields: str = "_all_",
    ) -> Iterator[models.User]:
        """Iterate over the users of the site.

        Filters: name, friendlyName, siteRole, lastLogin, luid, …
        """
        names = ("users", "user")
        return self._list("users", names, models.User, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("GET groups", since="2.0", scope="tableau:groups:read")
    def groups(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.Group]:
        """Iterate over the groups of the site.

        Filters: name, domainName, minimumSiteRole, userCount, …
        """
        return self._list("groups", ("groups", "group"), models.Group, filters, sort=sort, page_size=page_size)

    @endpoint("GET groups/{id}/users", since="2.0", scope="tableau:groups:read", codes="404012 NotFound")
    def group_users(self, luid: str | HasLuid, *, page_size: int = query.PAGE_SIZE) -> Iterator[models.User]:
        """Iterate over the users in a group."""
        return self._list(f"groups/{luid_of(luid)}/users", ("users", "user"), models.User, page_size=page_size)

    @endpoint("GET /sites/{id}", since="2.0", scope="tableau:content:read", codes="404000 NotFound")
    def site(self, luid: str | HasLuid | None = None) -> models.Site:
        """Return a site, by default the one signed in to. Site administrators can query only their own site."""
        site = luid_of(luid) if luid is not None else self.session().site_luid
        return self._get(models.Site, f"/api/{{version}}/sites/{site}", "site")

    @endpoint(
        "GET /sites", since="2.0", scope="tableau:content:read", codes="403 Forbidden: server administrators only"
    )
    def sites(self, *, page_size: int = query.PAGE_SIZE) -> Iterator[models.Site]:
        """Iterate over all sites of a Tableau Server. Tableau Cloud does not offer this call to customers."""
        return self._list("/api/{version}/sites", ("sites", "site"), models.Site, page_size=page_size)

    @endpoint("GET /api/2.4/serverinfo", since="2.4", scope="none: needs no session")
    def server_info(self) -> models.ServerInfo:
        """Return the versions of the server and of its REST API, without signing in."""
        with self._redacted_errors():
            return models.ServerInfo.from_json(self._sign_in.server_info())
