"""One site of Tableau that the server works with: where it is and what signs in to it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

if TYPE_CHECKING:
    from tableau_rest.credentials import Credential

REQUIRED = {
    "pat": ("domain", "pat_name", "pat_secret"),
    "password": ("domain", "username", "password"),
    "jwt": ("domain", "username", "ca_client", "ca_secret_id", "ca_secret_value"),
}
"""What each way to sign in uses; all the rest may be absent or empty."""


class Site(BaseModel):
    """A site and its credential. `name` is its label for people; empty where the server knows one site only, by the
    variables. The other fields are the `TABLEAU_…` variables in lower case, without that word."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str
    domain: str = ""
    sitename: str = ""
    site_luid: str = ""
    restapi_version: str = ""
    session_minutes: int = Field(90, ge=1, le=240)
    auth: Literal["pat", "password", "jwt"] = "pat"
    username: str = ""
    password: SecretStr = SecretStr("")
    ca_client: str = ""
    ca_secret_id: str = ""
    ca_secret_value: SecretStr = SecretStr("")
    ca_spare_secret_id: str = ""
    ca_spare_secret_value: SecretStr = SecretStr("")
    ca_scopes: str = ""
    pat_name: str = ""
    pat_secret: SecretStr = SecretStr("")
    pat_expires: date | None = None

    @field_validator("domain")
    @classmethod
    def _host_only(cls, domain: str) -> str:
        return server(domain, "sitename") if domain else ""

    @field_validator("restapi_version")
    @classmethod
    def _known_version(cls, version: str) -> str:
        from tableau_rest.protocol.version import validate  # noqa: PLC0415 — few set it

        return validate(version) if version else ""

    @field_validator("site_luid")
    @classmethod
    def _a_luid(cls, luid: str) -> str:
        from tableau_rest.protocol.luid import luid_of  # noqa: PLC0415 — few set it

        return luid_of(luid).lower() if luid else ""

    @property
    def key(self) -> str:
        """What tells it from every other site, whatever people call it."""
        return f"{self.domain}/{self.sitename}"

    def missing(self) -> list[str]:
        """The fields that its way to sign in needs and that are empty."""
        return [name for name in REQUIRED[self.auth] if not _text(getattr(self, name))]

    def credential(self) -> Credential:
        """What signs in, for the client. Raises ValueError where a part is empty."""
        from tableau_rest import ConnectedApp, Password, PersonalAccessToken  # noqa: PLC0415
        from tableau_rest.credentials import SCOPES  # noqa: PLC0415

        if self.auth == "password":
            return Password(self.username, self.password.get_secret_value())
        if self.auth == "pat":
            return PersonalAccessToken(self.pat_name, self.pat_secret.get_secret_value(), self.pat_expires)
        spare = self.ca_spare_secret_value.get_secret_value()
        return ConnectedApp(
            self.ca_client,
            self.ca_secret_id,
            self.ca_secret_value.get_secret_value(),
            self.username,
            scopes=tuple(self.ca_scopes.split()) or SCOPES,
            spare=(self.ca_spare_secret_id, spare) if spare else None,
        )


SECRETS = tuple(name for name, field in Site.model_fields.items() if field.annotation is SecretStr)
"""The fields that are secret."""


def server(domain: str, sitename: str) -> str:
    """The address of Tableau without anything behind it. Raises ValueError that says what to write instead; `sitename`
    is what the site's content URL is called there."""
    if "@" in domain:
        raise ValueError("the address must not hold a user name or password")  # nor may this message
    parts = urlsplit(domain if "://" in domain else f"https://{domain}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write the host of Tableau, e.g. 10ax.online.tableau.com")
    _ = parts.port  # raises ValueError for a port that is no number
    address = f"{parts.scheme}://{parts.netloc}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        site = re.search(r"/(?:site|t)/([^/?]+)", f"{parts.path}/{parts.fragment}")
        also = f", and {sitename}={site[1]}" if site else ""
        raise ValueError(f"write only {address}{also}")
    return address


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
