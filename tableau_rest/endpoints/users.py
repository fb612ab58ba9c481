"""Users, groups, sites and the server itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import child
from tableau_rest.protocol.luid import HasLuid, luid_of

_READ = "tableau:users:read"


class Users(Listing):
    """Users, groups, site and server."""

    @endpoint("GET users/{id}", since="2.0", scope=_READ, codes="404002 NotFound")
    def user(self, luid: str | HasLuid) -> models.User:
        """One user: the name, the e-mail address where the server knows it, the site role."""
        return models.User.from_json(child(self.request("GET", f"users/{luid_of(luid)}"), "user"))

    @endpoint("GET users", since="2.0", scope=_READ)
    def users(
        self,
        *filters: Filters,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE,
        fields: str = "_all_",
    ) -> Iterator[models.User]:
        """The users of the site. Filters: name, friendlyName, siteRole, lastLogin, luid, …"""
        names, model = ("users", "user"), models.User.from_json
        return self._list("users", names, model, filters, sort=sort, page_size=page_size, fields=fields)

    @endpoint("GET groups", since="2.0", scope="tableau:groups:read")
    def groups(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE
    ) -> Iterator[models.Group]:
        """The groups of the site. Filters: name, domainName, minimumSiteRole, userCount, …"""
        names, model = ("groups", "group"), models.Group.from_json
        return self._list("groups", names, model, filters, sort=sort, page_size=page_size)

    @endpoint("GET groups/{id}/users", since="2.0", scope="tableau:groups:read", codes="404012 NotFound")
    def group_users(self, luid: str | HasLuid, *, page_size: int = query.PAGE) -> Iterator[models.User]:
        """The users in a group."""
        path, names = f"groups/{luid_of(luid)}/users", ("users", "user")
        return self._list(path, names, models.User.from_json, page_size=page_size)

    @endpoint("GET /sites/{id}", since="2.0", scope="tableau:content:read", codes="404000 NotFound")
    def site(self, luid: str | HasLuid | None = None) -> models.Site:
        """A site; without a LUID the one we are signed in to. Site administrators see their own site only."""
        path = "/api/{version}/sites/" + (luid_of(luid) if luid is not None else "{site}")
        return models.Site.from_json(child(self.request("GET", path), "site"))

    @endpoint(
        "GET /sites", since="2.0", scope="tableau:content:read", codes="403 Forbidden: server administrators only"
    )
    def sites(self, *, page_size: int = query.PAGE) -> Iterator[models.Site]:
        """All sites of a Server. On Cloud there is no such call for customers."""
        names = ("sites", "site")
        return self._list("/api/{version}/sites", names, models.Site.from_json, page_size=page_size)

    @endpoint("GET /api/2.4/serverinfo", since="2.4", scope="none: needs no session")
    def server_info(self) -> models.ServerInfo:
        """The version of the server and of its REST API; asked without signing in."""
        return models.ServerInfo.from_json(self._sign_in.server_info())
