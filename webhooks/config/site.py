"""A site in Tableau that the server works with: its address and the credential for it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

if TYPE_CHECKING:
    from tableau_rest.credentials import Credential

# The fields that each kind of sign-in needs; all others may be empty.
REQUIRED = {
    "pat": ("domain", "pat_name", "pat_secret"),
    "password": ("domain", "username", "password"),
    "jwt": ("domain", "username", "ca_client", "ca_secret_id", "ca_secret_value"),
}
# A site within the address of a page: https://HOST/#/site/NAME/home, or /t/NAME/views/… on Tableau Server.
IN_ADDRESS = re.compile(r"(?:^|[/#])(?:site|t)/([^/?#]+)")


class Site(BaseModel):
    """A site and its credential.

    `name` is its name in sites.toml; empty for the site of the `TABLEAU_…` variables. The names of the other fields are
    those of the variables, in lower case and without that prefix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, defer_build=True)

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
    def _validate_domain(cls, domain: str) -> str:
        return server_url(domain, "sitename") if domain else ""

    @field_validator("sitename")
    @classmethod
    def _validate_sitename(cls, sitename: str) -> str:
        return content_url(sitename)

    @field_validator("restapi_version")
    @classmethod
    def _validate_version(cls, version: str) -> str:
        return rest_api_version(version)

    @field_validator("site_luid")
    @classmethod
    def _validate_luid(cls, luid: str) -> str:
        from tableau_rest.protocol.luid import luid_of  # noqa: PLC0415 - commands start faster without it

        return luid_of(luid).lower() if luid else ""

    @property
    def key(self) -> str:
        """The identity of the site, independent of its name in sites.toml."""
        return f"{self.domain}/{self.sitename}"

    def missing(self) -> list[str]:
        """Return the fields that the sign-in needs and that are empty."""
        return [name for name in REQUIRED[self.auth] if not plain(getattr(self, name))]

    def credential(self) -> Credential:
        """Return the credential for the client. Raises ValueError if a part is empty."""
        from tableau_rest import ConnectedApp, Password, PersonalAccessToken  # noqa: PLC0415 - as above
        from tableau_rest.credentials import SCOPES  # noqa: PLC0415 - as above

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


def server_url(domain: str, sitename: str) -> str:
    """Return the address of Tableau, with a scheme and without a path.

    Raises ValueError that says what to write instead; `sitename` is the name of the field for the content URL.
    """
    if "@" in domain:
        # The message must not contain the password either.
        raise ValueError("remove the user name and password from the address")
    if domain.count(":") > 1 and re.fullmatch("[0-9A-Fa-f:.]+", domain):
        raise ValueError(f"write an IPv6 address in brackets: [{domain}]")
    parts = urlsplit(domain if "://" in domain else f"https://{domain}")
    has_blank = any(character.isspace() for character in parts.netloc)
    # https:/HOST and https://https://HOST have the scheme in place of the host.
    if parts.scheme not in {"http", "https"} or parts.hostname in {None, "http", "https"} or has_blank:
        raise ValueError("write the host of Tableau, e.g. 10ax.online.tableau.com")
    _ = parts.port  # raises ValueError for an invalid port
    address = f"{parts.scheme}://{parts.netloc}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        site = IN_ADDRESS.search(f"{parts.path}/{parts.fragment}")
        also = f", and {sitename}={site[1]}" if site else ""
        raise ValueError(f"write only {address}{also}")
    return address


def parse_page_address(address: str) -> tuple[str, str]:
    """Return the server's address and the site's content URL from the address of a page, as a browser shows it.

    `https://10ax.online.tableau.com/#/site/acme/home` is the site `acme`. Raises ValueError.
    """
    parts = urlsplit(address if "://" in address else f"https://{address}")
    site = IN_ADDRESS.search(f"{parts.path}/{parts.fragment}")
    server = server_url(f"{parts.scheme}://{parts.netloc}", "the site")
    return server, content_url(site[1]) if site else ""


def content_url(sitename: str) -> str:
    """Return the content URL of a site. Raises ValueError that says what to write instead."""
    if re.fullmatch(r"[\w-]*", sitename):
        if sitename.casefold() == "default":
            raise ValueError(f"leave it empty for the default site; {sitename!r} is only its name")
        return sitename
    if "/" in sitename:
        site = IN_ADDRESS.search(sitename)
        advice = f"write only {site[1]}" if site else "the address names no site; leave it empty for the default site"
        raise ValueError(advice)
    raise ValueError(f"{sitename!r} is not a content URL; copy what follows /site/ in the address of the site's pages")


def rest_api_version(version: str) -> str:
    """Return the version of the REST API. Raises ValueError for one that Tableau does not have."""
    from tableau_rest.protocol.version import validate  # noqa: PLC0415 - few set it

    return validate(version) if version else ""


def plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
