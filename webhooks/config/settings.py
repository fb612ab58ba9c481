"""Every setting with its meaning and default: read once, from the environment and `.env`, then frozen."""

from __future__ import annotations

import os
import re
import ssl
from datetime import date
from pathlib import Path
from types import EllipsisType
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from notifiers import kinds
from webhooks.config import environment, site
from webhooks.config.database_url import database_url
from webhooks.config.env_file import read_env_file
from webhooks.config.environment import ROOT, complete_environment, from_root, is_flask_command, web_concurrency
from webhooks.config.notifier_settings import NotifierSettings
from webhooks.config.public_url import pages_url
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


class Settings(NotifierSettings):
    """The server's settings; the names of the fields are those of the variables, in lower case."""

    model_config = ConfigDict(
        defer_build=False, extra="ignore", frozen=True, populate_by_name=True, str_strip_whitespace=True
    )

    tableau_domain: str = Field(
        "", description="Host of Tableau, e.g. `10ax.online.tableau.com`; https unless a scheme is given"
    )
    tableau_sitename: str = Field(
        "", description="Content URL of the site: `finance` in …/#/site/finance/home. Empty for the default site"
    )
    tableau_restapi_version: str = Field(
        "", description="Version of the REST API, e.g. `3.24`. If empty, the latest version that the server offers"
    )
    tableau_session_minutes: int = Field(
        90, ge=1, le=240, description="Sign in again after this many minutes; Tableau Cloud ends sessions after 120"
    )
    tableau_auth: Literal["pat", "password", "jwt"] = Field(
        "pat", description="Sign-in: personal access token, password, or connected app with direct trust (jwt)"
    )
    tableau_username: str = Field("", description="User name, for `password` and `jwt`; case-sensitive with `jwt`")
    tableau_password: SecretStr = Field(SecretStr(""), description="Password, for `password`")
    tableau_ca_client: str = Field("", description="Client ID of the connected app, for `jwt`")
    tableau_ca_secret_id: str = Field("", description="ID of the connected app's secret, for `jwt`")
    tableau_ca_secret_value: SecretStr = Field(SecretStr(""), description="The connected app's secret, for `jwt`")
    tableau_ca_spare_secret_id: str = Field(
        "", description="ID of the connected app's second secret, used if Tableau rejects the first; for rotation"
    )
    tableau_ca_spare_secret_value: SecretStr = Field(SecretStr(""), description="The connected app's second secret")
    tableau_ca_scopes: str = Field(
        "", description="Scopes to request, separated by spaces, for `jwt`. If empty, those that the server needs"
    )
    tableau_pat_name: str = Field(
        "",
        validation_alias=AliasChoices("tableau_pat_name", "ts_pat_name"),
        description="Name of the personal access token; `TS_PAT_NAME` is accepted, too",
    )
    tableau_pat_secret: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("tableau_pat_secret", "ts_pat_secret"),
        description="Secret of the personal access token; `TS_PAT_SECRET` is accepted, too. "
        "Any other sign-in with this token invalidates the server's session",
    )
    tableau_pat_expires: date | None = Field(
        None, description="Expiry date of the token, e.g. `2027-03-31`, for alerts; Tableau does not report it"
    )

    sites_file: Path | None = Field(
        None, description="File with several sites and their credentials, instead of the `TABLEAU_…` variables"
    )

    flask_env: Literal["production", "development"] = Field(
        "production", description="`development` enables debug messages in the log"
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="`json`: each line of the log is an object, with the ids of the event, job and incident "
        "([the log](howto/watch.md#the-log))",
    )
    traces: bool = Field(
        False,
        description="Trace events from the request to the messages, by OpenTelemetry ([traces](howto/traces.md))",
    )
    webhook_token: SecretStr = Field(
        SecretStr(""),
        description="Secret in the webhook URL, `/webhook/<token>`; two, separated by a comma, during rotation. "
        "If empty, requests are not authenticated",
    )
    webhook_url: str = Field(
        "",
        repr=False,  # its path may be a token
        description="Public address of this server; `/webhook/<token>` is appended unless it has a path. "
        "If empty, the webhooks are not monitored",
    )
    public_url: str = Field(
        "",
        description="Public address of this server's pages, e.g. `https://webhooks.example.org`; links in messages "
        "lead to them if people can sign in. If empty, they lead to Tableau",
    )
    link_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret of at least 16 characters that signs links in messages (e-mail, Teams, …), with which "
        "people acknowledge without signing in; needs `PUBLIC_URL`. If empty, messages have no such links",
    )
    heartbeat_url: SecretStr = Field(
        SecretStr(""),
        description="Address that is called every minute while everything works, e.g. of healthchecks.io "
        "([monitoring](howto/watch.md#heartbeat)). If empty, none is",
    )
    webhook_label: str = Field(
        "tableau-webhooks",
        min_length=1,
        max_length=80,
        description="Prefix of the names of our webhooks in Tableau; use another for a second server on the same site",
    )
    watch_minutes: float = Field(
        5, ge=0, le=1440, description="Minutes between checks of the webhooks and the certificate; 0 disables them"
    )
    watch_repair: bool = Field(True, description="Enable webhooks again that Tableau has disabled")
    reconcile: bool = Field(
        True,
        description="Read Tableau's lists: find missed events (requires `WEBHOOK_URL`), and failures of flows, "
        "subscriptions and Bridge, which have no webhook",
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="Database of the inbox: `sqlite:///FILE` or `postgres://USER:PASSWORD@HOST/NAME`. "
        "If empty, a SQLite file in data/",
    )
    ca_bundle: Path | None = Field(
        None,
        description="File of certificate authorities that outgoing TLS trusts in addition to the usual ones, for a "
        "private authority or a proxy that opens TLS",
    )
    rules_file: Path = Field(ROOT / "rules.toml", description="The rules file")
    handlers_dir: Path | None = Field(
        None,
        description="Folder with handlers of your own, beside those in webhooks/handlers; for an installation that is "
        "replaced as a whole",
    )
    export_dir: Path | None = Field(
        None, description="Folder for the files that rules export from Tableau with `folder` as their destination"
    )
    worker_threads: int = Field(
        4, ge=0, le=64, description="Threads per process that run jobs; 0 if `flask worker` runs them"
    )
    lease_seconds: float = Field(
        30,
        ge=1,
        le=3600,
        description="Lease duration: a crashed worker's jobs become available after this many seconds",
    )
    retention_days: float = Field(
        90, ge=0, le=36500, description="Delete events (and their jobs) after this many days; 0 keeps them forever"
    )
    run_retention_days: float = Field(
        400,
        ge=0,
        le=36500,
        description="Delete runs of refreshes, closed incidents and past silences after this many days; 0 keeps them "
        "forever",
    )
    max_attempts: int = Field(20, ge=1, le=100, description="Attempts of a job before it is dead-lettered")
    messages_per_hour: int = Field(
        1000,
        ge=0,
        description="Messages that one rule or handler may send per hour; further ones are dead-lettered. 0: no limit",
    )
    sms_per_hour: int = Field(
        100,
        ge=0,
        description="Segments of text messages that all rules and handlers together may send per hour, as each costs "
        "money; further messages are dead-lettered. 0: no limit",
    )
    sms_replies: bool = Field(
        False,
        description="Let people acknowledge by a reply to a text message: set it when Twilio reports messages to "
        "`PUBLIC_URL`/twilio/messages",
    )
    timezone: str = Field("UTC", description="Time zone of the times in messages, e.g. `Europe/Berlin`")
    admin_password: SecretStr = Field(
        SecretStr(""),
        description="Password of the pages, and of HTTP Basic with the user `admin`. If empty, the pages are served to "
        "this machine only, and not through a proxy or tunnel",
    )
    oidc_issuer: str = Field(
        "",
        description="Sign people in by OpenID Connect: the identity provider's address, exactly as it calls itself",
    )
    oidc_client_id: str = Field("", description="Client id of this server at the identity provider")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Client secret there; empty for a public client")
    oidc_scopes: str = Field("openid profile email", description="Scopes that are asked for, such as `groups` in Okta")
    oidc_groups_claim: str = Field("groups", description="Claim with the groups of a person, or `roles` in Entra ID")
    oidc_session_hours: float = Field(
        8.0,
        gt=0,
        le=24,
        description="Hours until a session of single sign-on ends; the next sign-in has the role of the current groups",
    )

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on")
    simulator_port: int = Field(8100, ge=0, le=65535, description="Port of the simulator in the demo")

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

    @field_validator(*(name for name in NotifierSettings.model_fields if name.endswith("_api_url")))
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
        parts = urlsplit(issuer)
        is_local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if (issuer and not (is_local or (parts.scheme == "https" and parts.hostname))) or parts.query or parts.fragment:
            raise ValueError(f"{issuer!r} is not the address of a provider, such as https://login.example.org")
        return issuer

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
        path = from_root(path) if path else None
        if path:
            try:
                ssl.create_default_context(cafile=path)
            except ssl.SSLError:
                raise ValueError(f"{path} contains no certificates in PEM format") from None
            except OSError as error:
                raise ValueError(f"cannot read {path}: {error.strerror}") from None
        return path

    @field_validator("timezone")
    @classmethod
    def _validate_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as Europe
            meant = closest(name, available_timezones())
            advice = f"did you mean {meant}?" if meant else "write a name such as Europe/Berlin"
            raise ValueError(f"{name!r} is not a time zone; {advice}") from None
        return name

    @field_validator("handlers_dir", "export_dir")
    @classmethod
    def _validate_folder(cls, path: Path | None) -> Path | None:
        path = from_root(path) if path else None
        if path and not path.is_dir():
            raise ValueError(f"{path} is not a folder")
        return path

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


def misspelt_variables() -> list[str]:
    """Return a warning for each variable of the env file that is not known but resembles a setting."""
    warnings = []
    path = environment.ENV_FILE
    for name in read_env_file(path):
        meant = None if name.lower() in VARIABLES else closest(name, [known.upper() for known in VARIABLES])
        if meant:
            warnings.append(f"{name} in {path.name} is not a setting; did you mean {meant}?")
    return warnings
