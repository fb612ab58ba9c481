"""Users, groups and sites."""

from __future__ import annotations

from tableau_rest import models
from tableau_rest.call import rest
from tableau_rest.fields import child
from tableau_rest.listing import Lists
from tableau_rest.luid import HasLuid, luid_of


class Users(Lists):
    """Calls about people and the site they work on."""

    @rest("GET users/{id}", since="2.0", scope="tableau:users:read", codes="404002 NotFound")
    def user(self, luid: str | HasLuid) -> models.User:
        """One user: the name, the e-mail address where the server knows it, the site role."""
        return models.User.from_json(child(self.request("GET", f"users/{luid_of(luid)}"), "user"))

    @rest("GET /sites/{id}", since="2.0", scope="tableau:content:read", codes="404000 NotFound")
    def site(self, luid: str | HasLuid | None = None) -> models.Site:
        """A site; without a LUID the one we are signed in to. Site administrators see their own site only."""
        path = "/api/{version}/sites/" + (luid_of(luid) if luid else "{site}")
        return models.Site.from_json(child(self.request("GET", path), "site"))
