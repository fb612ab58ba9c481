"""Every variable with its meaning and default: read once from the environment and `.env`, then frozen."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from notifiers import kinds
from webhooks.config import site
from webhooks.config import sites_file as sites_reader
from webhooks.config.notifier_settings import NotifierSettings
from webhooks.config.site import Site
from webhooks.config.variables import inbox_address, is_flask_command, web_concurrency, with_files
from webhooks.validation import describe_values

__all__ = ["REQUIRED", "ROOT", "Settings", "is_flask_command", "web_concurrency"]

ROOT = Path(__file__).resolve().parents[2]

REQUIRED = {way: tuple(f"tableau_{name}" for name in names) for way, names in site.REQUIRED.items()}
"""What each way to sign in uses; all the rest may be absent or empty."""

BY_VARIABLES = tuple(name for name in Site.model_fields if name not in {"name", "site_luid"})
"""What the TABLEAU_… variables say of the one site."""


class Settings(NotifierSettings):
    """The server's settings; attribute names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    tableau_domain: str = Field(
        "", description="Host of Tableau, e.g. 10ax.online.tableau.com; https unless it says otherwise"
    )
    tableau_sitename: str = Field(
        "", description="The site's content URL as in its address; empty for the default site"
    )
    tableau_restapi_version: str = Field("", description="REST API version, e.g. 3.24; empty: what the server offers")
    tableau_session_minutes: int = Field(
        90, ge=1, le=240, description="Sign in again after so many minutes at the latest"
    )
    tableau_auth: Literal["pat", "password", "jwt"] = Field("pat", description="Way to sign in: pat, password or jwt")
    tableau_username: str = Field("", description="User name, for password and jwt (case-sensitive there)")
    tableau_password: SecretStr = Field(SecretStr(""), description="Password, for TABLEAU_AUTH=password")
    tableau_ca_client: str = Field("", description="Connected app: client id, for jwt")
    tableau_ca_secret_id: str = Field("", description="Connected app: secret id, for jwt")
    tableau_ca_secret_value: SecretStr = Field(SecretStr(""), description="Connected app: secret value, for jwt")
    tableau_ca_spare_secret_id: str = Field("", description="Connected app: id of its second secret, while you rotate")
    tableau_ca_spare_secret_value: SecretStr = Field(SecretStr(""), description="Connected app: the second secret")
    tableau_ca_scopes: str = Field("", description="Scopes to ask for, with blanks between; empty: what is needed")
    tableau_pat_name: str = Field(
        "",
        validation_alias=AliasChoices("tableau_pat_name", "ts_pat_name"),
        description="Name of the personal access token (TS_PAT_NAME is read as well)",
    )
    tableau_pat_secret: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("tableau_pat_secret", "ts_pat_secret"),
        description="Secret of the personal access token (TS_PAT_SECRET is read as well)",
    )
    tableau_pat_expires: date | None = Field(None, description="Last day of the token, e.g. 2027-03-31, for a warning")

    sites_file: Path | None = Field(
        None, description="Several sites: a sites.toml with their addresses and credentials, in place of TABLEAU_…"
    )

    flask_env: Literal["production", "development"] = Field("production", description="development logs DEBUG")
    webhook_token: SecretStr = Field(
        SecretStr(""),
        description="Secret part of the webhook's URL; two with a comma between to rotate; none: all may send",
    )
    webhook_url: str = Field(
        "",
        repr=False,  # its path may hold the token
        description="Our address as Tableau sees it; without a path /webhook/<token> is added. Empty: no watch",
    )
    webhook_label: str = Field(
        "tableau-webhooks",
        min_length=1,
        max_length=80,
        description="What the names of our webhooks begin with; another one for a second server on the same site",
    )
    watch_minutes: float = Field(
        5, ge=0, le=1440, description="Minutes between looks at our webhooks and their certificate; 0: none"
    )
    watch_repair: bool = Field(True, description="Switch a webhook of ours on again that Tableau has switched off")
    reconcile: bool = Field(True, description="After downtime, find out what was missed (needs WEBHOOK_URL)")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="Where the inbox is; empty: a SQLite file under data/. postgres://… for many machines",
    )
    rules_file: Path = Field(ROOT / "rules.toml", description="The rules: which event leads to what")
    worker_threads: int = Field(
        4, ge=0, le=64, description="Handler threads in each process; 0: none (use flask worker)"
    )
    lease_seconds: float = Field(
        30, ge=1, le=3600, description="A job of a dead worker is taken over after so many seconds"
    )
    retention_days: float = Field(
        90, ge=0, le=36500, description="Events older than so many days are deleted, with their jobs; 0: none is"
    )
    max_attempts: int = Field(20, ge=1, le=100, description="Tries of a job before it is dead")
    admin_password: SecretStr = Field(SecretStr(""), description="For the pages to come; not used yet")

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on")
    simulator_port: int = Field(8100, ge=0, le=65535, description="Port of the simulator in the demo")

    _sites: sites_reader.SitesFile | None = PrivateAttr(None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 — pydantic-settings calls by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before the environment before `.env`, and in each of the two NAME before NAME_FILE."""
        return init_settings, *with_files(settings_cls, env_settings), *with_files(settings_cls, dotenv_settings)

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings from the environment and `.env`, `given` before both.

        Raises one RuntimeError that names everything wrong.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            faults = "; ".join(describe_values(error, name=str.upper))
            raise RuntimeError(f"Settings are wrong: {faults}") from None
        except UnicodeDecodeError:
            raise RuntimeError(".env is not UTF-8") from None

    @field_validator("tableau_domain")
    @classmethod
    def _host_only(cls, domain: str) -> str:
        return site.server(domain, "TABLEAU_SITENAME") if domain else ""

    @field_validator("tableau_restapi_version")
    @classmethod
    def _known_version(cls, version: str) -> str:
        from tableau_rest.protocol.version import validate  # noqa: PLC0415 — few set it

        return validate(version) if version else ""

    @field_validator("database_url", mode="after")
    @classmethod
    def _dialect(cls, url: SecretStr) -> SecretStr:
        return SecretStr(inbox_address(url.get_secret_value()))

    @model_validator(mode="after")
    def _default_database(self) -> Self:
        """Without a site it can only be the demo that is asked about, and its events stay apart from real ones."""
        if not self.database_url.get_secret_value():
            name = "inbox" if self.tableau_domain or self.sites_file else "demo"
            url = SecretStr(f"sqlite:///{ROOT / 'data' / f'{name}.sqlite3'}")
            object.__setattr__(self, "database_url", url)
        return self

    @model_validator(mode="after")
    def _read_sites(self) -> Self:
        """What is wrong with the file is told when Tableau is needed, as with the variables."""
        if self.sites_file:
            self._sites = sites_reader.load(self.sites_file, {**dotenv_values(".env"), **os.environ})
        return self

    def sites(self) -> tuple[Site, ...]:
        """The sites of SITES_FILE as far as they can be used; without it the one of the variables, without a name."""
        if self._sites:
            return self._sites.sites
        return (Site(name="", **{name: getattr(self, f"tableau_{name}") for name in BY_VARIABLES}),)

    def missing(self) -> list[str]:
        """The variables that the chosen way to sign in to Tableau needs and that are empty; or SITES_FILE's faults."""
        if self._sites:
            return self._sites.faults
        return [name.upper() for name in REQUIRED[self.tableau_auth] if not _text(getattr(self, name))]

    def require_tableau(self) -> None:
        """Raises one RuntimeError that names every missing variable of the chosen sign-in, or fault of SITES_FILE."""
        if self._sites and self._sites.faults:
            raise RuntimeError(self._sites.message())
        missing = self.missing()
        if missing:
            names = ", ".join(missing)
            raise RuntimeError(f"TABLEAU_AUTH={self.tableau_auth} needs {names}: set in .env or the environment")

    def require_durable(self) -> None:
        """Raises RuntimeError where the inbox would be lost: a dyno's disk is wiped at each deploy and once a day.

        https://devcenter.heroku.com/articles/dynos#ephemeral-filesystem
        """
        if os.environ.get("DYNO") and self.database_url.get_secret_value().startswith("sqlite"):
            raise RuntimeError(
                "DATABASE_URL: Heroku wipes a dyno's disk at least once a day, and a SQLite inbox with it. "
                "Add PostgreSQL, which sets DATABASE_URL: heroku addons:create heroku-postgresql"
            )

    def webhook_tokens(self) -> list[str]:
        """The live tokens, the one for new webhooks first; a second one, behind a comma, is for rotation."""
        return [token for part in self.webhook_token.get_secret_value().split(",") if (token := part.strip())]

    def secrets(self) -> list[str]:
        """Every secret text that is set, for redaction."""
        values = (getattr(self, name) for name in type(self).model_fields)
        texts = [v.get_secret_value() for v in values if isinstance(v, SecretStr) and v.get_secret_value()]
        texts += kinds.secrets(self.notifier_variables())
        return texts + self.webhook_tokens() + (self._sites.secrets if self._sites else [])


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
