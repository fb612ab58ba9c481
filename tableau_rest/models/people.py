"""Users, groups, their permissions, and the site and server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from tableau_rest.models.model import Model, Source
from tableau_rest.protocol.fields import Data, child, objects, text


@dataclass(frozen=True)
class User(Model):
    """A user of the site. On Tableau Cloud `name` is the e-mail address; on Server `email` may be empty."""

    luid: str
    name: str = ""
    full_name: str = ""
    email: str = ""
    site_role: str = ""
    auth_setting: str = ""
    domain: str = ""
    last_login: datetime | None = None

    JSON: ClassVar[Mapping[str, Source]] = {"domain": ("domain", "name")}


@dataclass(frozen=True)
class Site(Model):
    """A site; `content_url` is its part of every web address, empty for the default site."""

    luid: str
    name: str = ""
    content_url: str = ""
    state: str = ""


@dataclass(frozen=True)
class Group(Model):
    """A group of users; `domain` is "local" or the directory from which it was imported."""

    luid: str
    name: str = ""
    domain: str = ""
    minimum_site_role: str = ""

    JSON: ClassVar[Mapping[str, Source]] = {
        "domain": ("domain", "name"),
        "minimum_site_role": lambda data: text(child(data, "import"), "siteRole") or text(data, "minimumSiteRole"),
    }


_GRANTEES = ("user", "group", "groupSet")


@dataclass(frozen=True)
class Permission:
    """One capability that is allowed or denied (`mode`: Allow or Deny) to a user or group (`grantee_kind`)."""

    grantee_kind: str
    grantee_luid: str
    capability: str
    mode: str

    @classmethod
    def from_grant(cls, data: Data) -> Iterator[Self]:
        """Yield the permissions of one `granteeCapabilities` object."""
        kind = next((kind for kind in _GRANTEES if child(data, kind)), "")
        luid = text(child(data, kind), "id")
        for item in objects(data, "capabilities", "capability"):
            yield cls(kind, luid, text(item, "name"), text(item, "mode"))


@dataclass(frozen=True)
class ServerInfo(Model):
    """The version of the server, as in "2025.3.1", and of its REST API."""

    product_version: str
    build: str
    rest_api_version: str

    JSON: ClassVar[Mapping[str, Source]] = {
        "product_version": ("productVersion", "value"),
        "build": ("productVersion", "build"),
    }


@dataclass(frozen=True)
class CredentialStatus:
    """The session of a credential that works. `warning` is for people, usually empty."""

    user_luid: str
    signed_in_at: datetime
    first_used_at: datetime
    warning: str = ""
