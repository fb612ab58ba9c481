"""The configuration of a simulator: the credentials it accepts, clock and seed, and the behaviour of the vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

# The variables of the server's environment and the fields that they set. A secret may also come as NAME_FILE.
VARIABLES = {
    "TABLEAU_SITENAME": "content_url",
    "TABLEAU_PAT_NAME": "pat_name",
    "TABLEAU_PAT_SECRET": "pat_secret",
    "TABLEAU_USERNAME": "username",
    "TABLEAU_PASSWORD": "password",
    "TABLEAU_CA_CLIENT": "ca_client",
    "TABLEAU_CA_SECRET_ID": "ca_secret_id",
    "TABLEAU_CA_SECRET_VALUE": "ca_secret_value",
    "SLACK_TOKEN": "slack_token",
    "SLACK_CHANNEL": "slack_channel",
    "SLACK_SIGNING_SECRET": "slack_signing_secret",
    "SLACK_APP_TOKEN": "slack_app_token",
    "TWILIO_ACCOUNT_SID": "twilio_account_sid",
    "TWILIO_AUTH_TOKEN": "twilio_auth_token",
    "TWILIO_API_KEY_SID": "twilio_api_key_sid",
    "TWILIO_API_KEY_SECRET": "twilio_api_key_secret",
    "TWILIO_FROM": "twilio_from",
    "TWILIO_TO": "twilio_to",
}
SYNONYMS = {"TABLEAU_PAT_NAME": "TS_PAT_NAME", "TABLEAU_PAT_SECRET": "TS_PAT_SECRET"}

# Credentials that a server does not need.
OPTIONAL = ("SLACK_APP_TOKEN", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET")

# Whole numbers that may be left out.
OPTIONAL_LIMITS = ("refreshes_per_hour", "disable_after", "slack_edit_window")

# Every scope that the simulated methods of Slack ask for.
SLACK_SCOPES = (
    "chat:write,chat:write.public,channels:read,channels:history,channels:join,groups:read,groups:history,"
    "im:read,im:write,im:history,mpim:read,files:read,files:write,reactions:write,usergroups:read,users:read,users:read.email"
)

# Fields that neither the environment nor the HTTP API can set.
CODE_ONLY = (
    *("clock", "more_pats", "more_ca_secrets", "twilio_verified"),
    *("slack_webhook_token", "teams_signature", "pagerduty_key", "pagerduty_webhook_secret", "post_secret"),
)
# Fields that are read once, at the start or at a reset.
FIXED_WHILE_RUNNING = (*VARIABLES.values(), *CODE_ONLY, "seed", "senders", "is_server")


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one simulator. The defaults apply to all that the environment leaves out."""

    # Credentials
    content_url: str = "acme"
    pat_name: str = "webhooks"
    pat_secret: str = field(default="c2ltdWxhdG9y:not-a-secret", repr=False)
    # Name -> secret: one token for each further site.
    more_pats: Mapping[str, str] = field(default_factory=dict, repr=False)
    username: str = "ann@acme.example"
    password: str = field(default="simulator", repr=False)
    ca_client: str = "5f3c1d9e-0000-4000-8000-00000000c11e"
    ca_secret_id: str = "8f2a7b10-0000-4000-8000-0000005ec1d0"
    ca_secret_value: str = field(default="simulated-connected-app-secret-32+", repr=False)
    # Id -> value: a connected app has up to two secrets.
    more_ca_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    slack_token: str = field(default="xoxb-simulator", repr=False)
    slack_channel: str = "#bi"
    # With it, presses of buttons are reported through a connection that the app opens (Socket Mode).
    slack_app_token: str = field(default="", repr=False)
    # Signs the requests of pressed buttons.
    slack_signing_secret: str = field(default="simulated-signing-secret", repr=False)
    # The secrets of the services that only take messages.
    slack_webhook_token: str = field(default="simulated-webhook-token", repr=False)
    teams_signature: str = field(default="simulated-signature,1", repr=False)
    pagerduty_key: str = field(default="R0SIMULATED0123456789ABCDEF01234", repr=False)
    # Signs the reports on what people do in PagerDuty.
    pagerduty_webhook_secret: str = field(default="simulated-webhook-secret", repr=False)
    post_secret: str = field(default="whsec_c2ltdWxhdGVkLXNlY3JldC1vZi0zMi1ieXRlcy4u", repr=False)
    twilio_account_sid: str = "AC00000000000000000000000000000001"
    twilio_auth_token: str = field(default="simulated-auth-token", repr=False)
    # An API key that is accepted in place of the account's SID and token.
    twilio_api_key_sid: str = ""
    twilio_api_key_secret: str = field(default="", repr=False)
    twilio_from: str = "+15005550006"
    twilio_to: str = "+15550100"
    twilio_whatsapp_from: str = "+15005550006"
    # The template of WhatsApp messages that is approved.
    twilio_whatsapp_content_sid: str = "HX00000000000000000000000000000001"
    # The only numbers that a trial account can send to; None: a paid account.
    twilio_verified: frozenset[str] | None = None

    # Time and chance
    clock: Callable[[], datetime] = utc_now
    seed: int = 7

    # Behaviour of the vendors
    api_version: str = "3.27"
    # A Tableau Server, with schedules that several tasks share; else Tableau Cloud.
    is_server: bool = False
    session_minutes: float = 120
    # Duration of an extract refresh.
    refresh_seconds: float = 2.0
    # Concurrent exports per site; Tableau publishes 20 for Cloud.
    export_limit: int = 20
    # Refreshes started per hour and site, 60 on Cloud; None: no limit.
    refreshes_per_hour: int | None = None
    # Seconds from queued to sent, and again from sent to delivered.
    sms_seconds: float = 1.0
    # Scopes of the Slack token, separated by commas.
    slack_scopes: str = SLACK_SCOPES
    # Whether Slack limits the calls of each method and the messages to each channel.
    slack_rate_limits: bool = False
    # Seconds in which a Slack message can be edited; None: always.
    slack_edit_window: int | None = None
    # Whether Slack shows the blocks data_table and data_visualization, which it introduces by workspace.
    slack_data_blocks: bool = True
    # Receives the pressed buttons of messages; the default is the server of the demo.
    slack_interactions_url: str = "http://127.0.0.1:8000/slack/interactions"
    # Whether Slack says hello on a new connection of Socket Mode; without it nothing arrives.
    slack_socket_hello: bool = True
    # Receives the replies to text messages; the default is the server of the demo.
    twilio_messages_url: str = "http://127.0.0.1:8000/twilio/messages"
    # Receives the reports on what people do in PagerDuty; the default is the server of the demo.
    pagerduty_events_url: str = "http://127.0.0.1:8000/pagerduty/events"
    # Whether a change by REST (name, owner, project) causes an Updated event.
    update_events: bool = True

    # Delivery of webhooks
    # Seconds, webhooks.http.timeout.connect
    connect_timeout: float = 5.0
    # Seconds, webhooks.http.timeout.read
    read_timeout: float = 3.0
    # Seconds before the second, third and fourth attempt.
    retry_waits: tuple[float, ...] = (2.0, 5.0, 10.0)
    # Share of deliveries that are sent twice.
    duplicates: float = 0.0
    # Whether payloads have the seventh field, `text`, of newer versions.
    payload_text: bool = True
    # Events in a row whose deliveries all failed that disable a webhook; None: never.
    disable_after: int | None = 1
    # Threads that deliver.
    senders: int = 8

    def environment(self, base_url: str) -> dict[str, str]:
        """Return the variables that a server needs to use this simulator at `base_url`."""
        values = {name: getattr(self, attribute) for name, attribute in VARIABLES.items()}
        values = {name: value for name, value in values.items() if value or name not in OPTIONAL}
        base = base_url.rstrip("/")
        addresses = {"TABLEAU_DOMAIN": base, "SLACK_API_URL": f"{base}/slack/api/", "TWILIO_API_URL": f"{base}/twilio"}
        return addresses | values

    def receiver_variables(self, base_url: str) -> dict[str, str]:
        """Return the variables with which a server uses the services that only take messages."""
        base = base_url.rstrip("/")
        workflow = f"{base}/teams/workflows/bi/triggers/manual/paths/invoke?api-version=1&sig={self.teams_signature}"
        return {
            "SLACK_WEBHOOK_URLS": f"bi={base}/slack/hooks/T0SIMULATED/bi/{self.slack_webhook_token}",
            "TEAMS_URLS": f"bi={workflow}",
            "PAGERDUTY_KEYS": f"data={self.pagerduty_key}",
            "PAGERDUTY_API_URL": f"{base}/pagerduty",
            "PAGERDUTY_WEBHOOK_SECRET": self.pagerduty_webhook_secret,
            "POST_URLS": f"ops={base}/post/ops",
            "POST_SECRET": self.post_secret,
            "POST_ALLOW": "127.0.0.1",
            "TWILIO_WHATSAPP_FROM": self.twilio_whatsapp_from,
            "TWILIO_WHATSAPP_CONTENT_SID": self.twilio_whatsapp_content_sid,
        }

    def mail_variables(self, port: int) -> dict[str, str]:
        """Return the variables with which a server sends mail to the simulator, which listens at this port."""
        return {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "Tableau Webhooks <webhooks@acme.example>",
            "SMTP_TO": "bi@acme.example",
        }


def from_environment(environ: Mapping[str, str]) -> tuple[Config, dict[str, str]]:
    """Return the configuration of the environment, and the default credentials it left out by variable name.

    `SIMULATOR_*` variables set the other fields, such as `SIMULATOR_DUPLICATES=0.2` or `SIMULATOR_RETRY_WAITS=1,2,4`.
    """
    given: dict[str, object] = {"duplicates": 0.1}
    for entry in fields(Config):
        text = environ.get(f"SIMULATOR_{entry.name.upper()}", "")
        if text and entry.name not in VARIABLES.values():
            given[entry.name] = parse_setting(entry.name, text)
    for name, attribute in VARIABLES.items():
        if value := _credential(name, environ):
            given[attribute] = value
    if "TABLEAU_SITENAME" in environ:
        given["content_url"] = environ["TABLEAU_SITENAME"]
    config = Config(**given)  # type: ignore[arg-type]
    left_out = {name: attribute for name, attribute in VARIABLES.items() if attribute not in given}
    return config, {name: getattr(config, attr) for name, attr in left_out.items() if name not in OPTIONAL}


def _credential(name: str, environ: Mapping[str, str]) -> str:
    for key in filter(None, (name, SYNONYMS.get(name))):
        if environ.get(key):
            return environ[key]
        if environ.get(f"{key}_FILE"):
            return Path(environ[f"{key}_FILE"]).read_text(encoding="utf-8").strip()
    return ""


def parse_setting(name: str, value: object) -> object:
    """Return the value of a setting, read from text or JSON. Raises ValueError if name or value is invalid."""
    default = getattr(Config(), name, ...)
    if default is ... or name in VARIABLES.values() or name in CODE_ONLY:
        raise ValueError(f"Unknown setting {name!r}. Choose one of: {', '.join(changeable_settings())}")
    try:
        if name in OPTIONAL_LIMITS:
            return int(str(value)) if value not in (None, "") else None
        if isinstance(default, tuple):
            parts = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
            return tuple(float(part) for part in parts)
        if isinstance(default, bool):
            return str(value).lower() in {"1", "true", "yes", "on"}
        return type(default)(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Invalid value for {name}: {value!r}") from error


def changeable_settings() -> list[str]:
    """Return the names of the settings that can change while a simulator runs."""
    return [entry.name for entry in fields(Config) if entry.name not in FIXED_WHILE_RUNNING]
