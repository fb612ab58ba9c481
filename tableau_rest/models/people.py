"""Users, groups, what they may do, and the site and server they work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tableau_rest.protocol.fields import Data, child, objects, text, timestamp


@dataclass(frozen=True)
class User:
    """A user of the site. On Tableau Cloud `name` is the e-mail address; on Server `email` may be empty."""

    luid: str
    name: str = ""
    full_name: str = ""
    email: str = ""
    site_role: str = ""
    auth_setting: str = ""
    domain: str = ""
    last_login: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            name=text(data, "name"),
            full_name=text(data, "fullName"),
            email=text(data, "email"),
            site_role=text(data, "siteRole"),
            auth_setting=text(data, "authSetting"),
            domain=text(child(data, "domain"), "name"),
            last_login=timestamp(data, "lastLogin"),
        )


@dataclass(frozen=True)
class Site:
    """A site; `content_url` is its part of every web address, empty for the default site."""

    luid: str
    name: str = ""
    content_url: str = ""
    state: str = ""

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(text(data, "id"), text(data, "name"), text(data, "contentUrl"), text(data, "state"))


@dataclass(frozen=True)
class Group:
    """A group of users; `domain` is "local", or the directory it comes from."""

    luid: str
    name: str = ""
    domain: str = ""
    minimum_site_role: str = ""

    @classmethod
    def from_json(cls, data: Data) -> Self:
        role = text(child(data, "import"), "siteRole") or text(data, "minimumSiteRole")
        return cls(text(data, "id"), text(data, "name"), text(child(data, "domain"), "name"), role)


_GRANTEES = ("user", "group", "groupSet")


@dataclass(frozen=True)
class Permission:
    """One capability that a user or group (`grantee_kind`) was allowed or denied (`mode`: Allow or Deny)."""

    grantee_kind: str
    grantee_luid: str
    capability: str
    mode: str

    @classmethod
    def several(cls, data: Data) -> Iterator[Self]:
        """The permissions of one `granteeCapabilities`."""
        kind = next((kind for kind in _GRANTEES if child(data, kind)), "")
        luid = text(child(data, kind), "id")
        for item in objects(data, "capabilities", "capability"):
            yield cls(kind, luid, text(item, "name"), text(item, "mode"))


@dataclass(frozen=True)
class ServerInfo:
    """The server's own version, as in "2025.3.1", and the REST API it offers."""

    product_version: str
    build: str
    rest_api_version: str

    @classmethod
    def from_json(cls, data: Data) -> Self:
        product = child(data, "productVersion")
        return cls(text(product, "value"), text(product, "build"), text(data, "restApiVersion"))


@dataclass(frozen=True)
class CredentialStatus:
    """How the sign-in stands. `warning` is for people, empty when there is nothing to say."""

    user_luid: str
    signed_in_at: datetime
    first_used_at: datetime
    warning: str = ""
