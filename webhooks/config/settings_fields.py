"""Every setting with its meaning and default. The names are those of the variables, in lower case."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from webhooks.config.environment import ROOT
from webhooks.config.notifier_settings import NotifierSettings


class SettingsFields(NotifierSettings):
    """The server's settings, those of the notifiers included; `Settings` reads and validates them."""

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
        4,
        ge=0,
        le=64,
        description="Threads per process that run jobs; one process has those of all while that is enough. 0 if "
        "`flask worker` runs the jobs",
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
