"""Users, and the site they work on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tableau_rest.fields import Data, child, moment, text


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
            last_login=moment(data, "lastLogin"),
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
