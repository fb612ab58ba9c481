"""The settings: read once, from the environment and `.env`, validated as a whole, then frozen."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import EllipsisType
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    ConfigDict,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from notifiers import kinds
from webhooks.config import checks, environment, site
from webhooks.config.database_url import database_url
from webhooks.config.env_file import contradictions, read_env_file, read_lines
from webhooks.config.environment import ROOT, complete_environment, from_root, is_flask_command, web_concurrency
from webhooks.config.public_url import pages_url
from webhooks.config.settings_fields import SettingsFields
from webhooks.config.site import Site, plain
from webhooks.config.sites_file import SitesFile
from webhooks.config.sites_file import load as load_sites
from webhooks.config.sources import Invalid, read_variables, variable_names
from webhooks.spelling import closest
from webhooks.validation import describe_values

__all__ = ["REQUIRED", "ROOT", "Settings", "is_flask_command", "load_environment", "web_concurrency"]

# The variables that each kind of sign-in needs; all others may be empty.
REQUIRED = {auth: tuple(f"tableau_{name}" for name in names) for auth, names in site.REQUIRED.items()}
# The fields of the site that the TABLEAU_… variables describe.
SITE_FIELDS = tuple(name for name in Site.model_fields if name not in {"name", "site_luid"})

API_URL = re.compile(r"https?://[^\s/?#]+([/?#]\S*)?")
# Characters of a token below which it could be guessed.
SHORTEST_TOKEN = 16


class Settings(SettingsFields):
    """The server's settings, validated; `settings_fields` says what each means."""

    model_config = ConfigDict(
        defer_build=False, extra="ignore", frozen=True, populate_by_name=True, str_strip_whitespace=True
    )

    _sites: SitesFile | None = PrivateAttr(None)

    def __init__(self, *, _env_file: Path | EllipsisType | None = ..., **values: Any) -> None:
        """Read the settings: `values` override the environment, which overrides the env file.

        In each of the two, NAME overrides NAME_FILE. `_env_file` is another env file than `.env` in the project's root,
        or None for none. Raises ValidationError and EnvFileError.
        """
        path = environment.ENV_FILE if _env_file is ... else _env_file
        in_file = read_env_file(path) if isinstance(path, Path) else {}
        fields = type(self).model_fields
        super().__init__(
            **{
                **read_variables(fields, in_file, is_parsed=True),
                **read_variables(fields, os.environ, is_parsed=False),
                **values,
            }
        )

    @classmethod
    def read(cls, **values: Any) -> Self:
        """Return the settings like the constructor, but raise one RuntimeError that names everything invalid."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise RuntimeError(f"Invalid settings: {'; '.join(describe_values(error, str.upper))}") from None

    @field_validator("*", mode="before")
    @classmethod
    def _reject_invalid(cls, value: Any) -> Any:
        if isinstance(value, Invalid):
            raise ValueError(value.message)  # noqa: TRY004 - pydantic reports ValueError
        return value

    @field_validator(*(name for name in SettingsFields.model_fields if name.endswith("_api_url")))
    @classmethod
    def _validate_api_urls(cls, value: str) -> str:
        """Refuse an address of a notifier's API that no request can be sent to."""
        if not API_URL.fullmatch(value):
            raise ValueError(f"{value!r} is not an address; write one that begins with https:// and has a host")
        return value

    @field_validator("link_secret")
    @classmethod
    def _validate_link_secret(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"it could be guessed; use at least {SHORTEST_TOKEN} characters, better 32")
        return secret

    @field_validator("slack_app_token")
    @classmethod
    def _validate_app_token(cls, token: SecretStr) -> SecretStr:
        """Refuse the bot's token, or the signing secret, in place of the app's."""
        if token.get_secret_value() and not token.get_secret_value().startswith("xapp-"):
            raise ValueError("is not an app-level token, which begins with xapp-")
        return token

    @field_validator("tableau_domain")
    @classmethod
    def _validate_domain(cls, domain: str) -> str:
        return site.server_url(domain, "TABLEAU_SITENAME") if domain else ""

    @field_validator("tableau_sitename")
    @classmethod
    def _validate_sitename(cls, sitename: str) -> str:
        return site.content_url(sitename)

    @field_validator("tableau_restapi_version")
    @classmethod
    def _validate_version(cls, version: str) -> str:
        return site.rest_api_version(version)

    @field_validator("public_url")
    @classmethod
    def _validate_public_url(cls, address: str) -> str:
        return pages_url(address) if address else ""

    @field_validator("oidc_issuer")
    @classmethod
    def _validate_issuer(cls, issuer: str) -> str:
        return checks.issuer(issuer)

    @field_validator("heartbeat_url")
    @classmethod
    def _validate_heartbeat_url(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("should be an http:// or https:// address")
        return url

    @field_validator("database_url")
    @classmethod
    def _validate_database(cls, url: SecretStr) -> SecretStr:
        return SecretStr(database_url(url.get_secret_value(), ROOT))

    @field_validator("ca_bundle")
    @classmethod
    def _validate_ca_bundle(cls, path: Path | None) -> Path | None:
        return checks.certificates(from_root(path)) if path else None

    @field_validator("timezone")
    @classmethod
    def _validate_timezone(cls, name: str) -> str:
        return checks.time_zone(name)

    @field_validator("handlers_dir", "export_dir")
    @classmethod
    def _validate_folder(cls, path: Path | None) -> Path | None:
        return checks.folder(from_root(path)) if path else None

    @field_validator("rules_file", "sites_file")
    @classmethod
    def _resolve(cls, path: Path | None) -> Path | None:
        return from_root(path) if path else None

    @model_validator(mode="after")
    def _set_default_database(self) -> Self:
        """Use another file without a site: only the demo runs without one, and its events are kept apart."""
        if not self.database_url.get_secret_value():
            name = "inbox" if self.tableau_domain or self.sites_file else "demo"
            url = SecretStr(f"sqlite:///{ROOT / 'data' / f'{name}.sqlite3'}")
            object.__setattr__(self, "database_url", url)
        return self

    @model_validator(mode="after")
    def _load_sites(self) -> Self:
        """Load the sites file; its errors are reported when Tableau is needed, like missing variables."""
        if self.sites_file:
            self._sites = load_sites(self.sites_file, {**read_env_file(environment.ENV_FILE), **os.environ})
        return self

    @model_validator(mode="after")
    def _require_public_url(self) -> Self:
        """Refuse replies by SMS without what verifies them."""
        needed = {"PUBLIC_URL": self.public_url, "TWILIO_AUTH_TOKEN": self.notifier_variables()["TWILIO_AUTH_TOKEN"]}
        missing = [name for name, value in needed.items() if not value]
        if self.sms_replies and missing:
            raise ValueError(f"SMS_REPLIES needs {' and '.join(missing)}")
        return self

    def sites(self) -> tuple[Site, ...]:
        """Return the valid sites of SITES_FILE; without that file, the site of the variables, which has no name."""
        if self._sites:
            return self._sites.sites
        return (Site(name="", **{name: getattr(self, f"tableau_{name}") for name in SITE_FIELDS}),)

    def missing(self) -> list[str]:
        """Return the variables that the sign-in needs and that are empty, or the errors of SITES_FILE."""
        if self._sites:
            return self._sites.errors
        return [name.upper() for name in REQUIRED[self.tableau_auth] if not plain(getattr(self, name))]

    def require_tableau(self) -> None:
        """Raise one RuntimeError that names every missing variable, or every error of SITES_FILE."""
        if self._sites and self._sites.errors:
            raise RuntimeError(self._sites.message())
        if missing := self.missing():
            names = ", ".join(missing)
            raise RuntimeError(
                f"TABLEAU_AUTH={self.tableau_auth} needs {names}. Set them in .env or in the environment."
            )

    def require_durable(self) -> None:
        """Raise RuntimeError if the inbox would be lost: Heroku erases a dyno's disk at each deploy and once a day.

        https://devcenter.heroku.com/articles/dynos#ephemeral-filesystem
        """
        if os.environ.get("DYNO") and self.database_url.get_secret_value().startswith("sqlite"):
            raise RuntimeError(
                "DATABASE_URL: Heroku erases a dyno's disk at least once a day, and a SQLite inbox with it. "
                "Add PostgreSQL, which sets DATABASE_URL: heroku addons:create heroku-postgresql"
            )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the times in messages."""
        return ZoneInfo(self.timezone)

    def has_short_token(self) -> bool:
        """Return whether a valid token is so short that it could be guessed."""
        return any(len(token) < SHORTEST_TOKEN for token in self.webhook_tokens())

    @property
    def link_key(self) -> str:
        """The secret that signs links in messages; empty if they have none."""
        return self.link_secret.get_secret_value()

    @property
    def requires_sign_in(self) -> bool:
        """Return whether people sign in to the pages; otherwise they are served to this machine only."""
        return bool(self.admin_password.get_secret_value() or self.oidc_issuer)

    @property
    def links_url(self) -> str:
        """Return the address of the pages for links in messages; empty if their readers could not open them."""
        is_local = urlsplit(self.public_url).hostname in {"localhost", "127.0.0.1", "::1"}
        return self.public_url if self.requires_sign_in or is_local else ""

    @property
    def session_secret(self) -> str:
        """The secret of all sessions, which end when it changes: the password, and the client of OpenID Connect."""
        password = self.admin_password.get_secret_value()
        return f"{password}\n{self.oidc_issuer}\n{self.oidc_client_id}" if self.oidc_issuer else password

    def webhook_tokens(self) -> list[str]:
        """Return the valid tokens; the first one is for new webhooks, a second one is accepted during rotation."""
        return [token for part in self.webhook_token.get_secret_value().split(",") if (token := part.strip())]

    def logging(self) -> dict[str, Any]:
        """Return the arguments of `logs.configuration`."""
        debug = self.flask_env == "development"
        return {"debug": debug, "secrets": self.secrets(), "as_json": self.log_format == "json"}

    def secrets(self) -> list[str]:
        """Return every secret that is set, for redaction."""
        values = (getattr(self, name) for name in type(self).model_fields)
        texts = [v.get_secret_value() for v in values if isinstance(v, SecretStr) and v.get_secret_value()]
        texts += kinds.secrets(self.notifier_variables())
        return texts + self.webhook_tokens() + (self._sites.secrets if self._sites else [])


# The names of all variables that Settings reads, in lower case.
VARIABLES = frozenset(
    f"{variable}{suffix}"
    for name, field in Settings.model_fields.items()
    for variable in variable_names(field, name)
    for suffix in ("", "_file")
)


def load_environment() -> None:
    """Complete the environment from the env file; every entry point calls this before it reads the settings.

    Raises EnvFileError.
    """
    complete_environment(lambda name: name.lower() in VARIABLES)


def doubtful_variables() -> list[str]:
    """Return warnings of variables: several values in the env file, similar to a setting, or unusable proxies."""
    path = environment.ENV_FILE
    warnings = [f"{path.name}: {text}" for text in contradictions(read_lines(path))]
    for name in read_env_file(path):
        meant = None if name.lower() in VARIABLES else closest(name, [known.upper() for known in VARIABLES])
        if meant:
            warnings.append(f"{name} in {path.name} is not a setting; did you mean {meant}?")
    return warnings + environment.unusable_proxies()
