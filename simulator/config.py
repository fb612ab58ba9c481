"""What a simulator is made with: credentials it accepts, its clock and seed, and its manners."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

# Which variable of the server's environment fills which field. The secrets among them may also come as NAME_FILE.
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
    "TWILIO_ACCOUNT_SID": "twilio_account_sid",
    "TWILIO_AUTH_TOKEN": "twilio_auth_token",
    "TWILIO_FROM": "twilio_from",
    "TWILIO_TO": "twilio_to",
}
SYNONYMS = {"TABLEAU_PAT_NAME": "TS_PAT_NAME", "TABLEAU_PAT_SECRET": "TS_PAT_SECRET"}


def utc_now() -> datetime:
    """The real time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that makes one simulator; the defaults are what it announces when the environment says nothing."""

    # Credentials
    content_url: str = "acme"
    pat_name: str = "webhooks"
    pat_secret: str = field(default="c2ltdWxhdG9y:not-a-secret", repr=False)
    more_pats: Mapping[str, str] = field(default_factory=dict, repr=False)  # name -> secret: one for each further site
    username: str = "ann@acme.example"
    password: str = field(default="simulator", repr=False)
    ca_client: str = "5f3c1d9e-0000-4000-8000-00000000c11e"
    ca_secret_id: str = "8f2a7b10-0000-4000-8000-0000005ec1d0"
    ca_secret_value: str = field(default="simulated-connected-app-secret-32+", repr=False)
    more_ca_secrets: Mapping[str, str] = field(
        default_factory=dict, repr=False
    )  # id -> value: a connected app has up to two
    slack_token: str = field(default="xoxb-simulator", repr=False)
    slack_channel: str = "#bi"
    twilio_account_sid: str = "AC00000000000000000000000000000001"
    twilio_auth_token: str = field(default="simulated-auth-token", repr=False)
    twilio_from: str = "+15005550006"
    twilio_to: str = "+15550100"
    twilio_verified: frozenset[str] | None = None  # the only numbers a trial account may send to; None: a paid account

    # Time and chance
    clock: Callable[[], datetime] = utc_now
    seed: int = 7

    # Tableau's manners
    api_version: str = "3.27"
    session_minutes: float = 120
    refresh_seconds: float = 2.0  # how long an extract refresh takes
    export_limit: int = 20  # exports at a time and site; tableau.com publishes 20 for Cloud
    refreshes_per_hour: int | None = None  # Cloud starts 60 an hour and site; None: no limit
    sms_seconds: float = 1.0  # from queued to sent, and from sent to delivered
    update_events: bool = True  # whether a change by REST (name, owner, project) sends *Updated

    # How webhooks are delivered
    connect_timeout: float = 5.0  # seconds, webhooks.http.timeout.connect
    read_timeout: float = 3.0  # seconds, webhooks.http.timeout.read
    retry_waits: tuple[float, ...] = (2.0, 5.0, 10.0)  # seconds before the second, third and fourth attempt
    duplicates: float = 0.0  # the share of deliveries that are sent twice
    payload_text: bool = True  # the seventh field, `text`, of newer versions
    disable_after: int | None = None  # deliveries given up in a row that switch a webhook off; None: never
    senders: int = 8  # threads that deliver

    def environment(self, base_url: str) -> dict[str, str]:
        """The variables a server needs to work against this simulator at `base_url`."""
        values = {name: getattr(self, attribute) for name, attribute in VARIABLES.items()}
        base = base_url.rstrip("/")
        addresses = {"TABLEAU_DOMAIN": base, "SLACK_API_URL": f"{base}/slack/api/", "TWILIO_API_URL": f"{base}/twilio"}
        return addresses | values


def from_environment(environ: Mapping[str, str]) -> tuple[Config, dict[str, str]]:
    """The configuration the environment describes, and the credentials it left to us: name -> made-up value.

    `SIMULATOR_*` variables set the manners: `SIMULATOR_DUPLICATES=0.2`, `SIMULATOR_RETRY_WAITS=1,2,4` and so on.
    """
    found = {attribute: value for name, attribute in VARIABLES.items() if (value := _credential(name, environ))}
    if "TABLEAU_SITENAME" in environ:
        found["content_url"] = environ["TABLEAU_SITENAME"]
    config = Config(**{"duplicates": 0.1} | _manners(environ) | found)  # type: ignore[arg-type]
    made_up = {name: getattr(config, key) for name, key in VARIABLES.items() if key not in found}
    return config, made_up


def _credential(name: str, environ: Mapping[str, str]) -> str:
    for key in filter(None, (name, SYNONYMS.get(name))):
        if environ.get(key):
            return environ[key]
        if environ.get(f"{key}_FILE"):
            return Path(environ[f"{key}_FILE"]).read_text(encoding="utf-8").strip()
    return ""


def _manners(environ: Mapping[str, str]) -> dict[str, object]:
    given: dict[str, object] = {}
    for entry in fields(Config):
        text = environ.get(f"SIMULATOR_{entry.name.upper()}", "")
        if text and entry.name not in VARIABLES.values():
            given[entry.name] = manner(entry.name, text)
    return given


def manner(name: str, value: object) -> object:
    """The value of one manner, read from text or JSON. Raises ValueError when it is none."""
    default = getattr(Config(), name, ...)
    if (
        name in VARIABLES.values()
        or name in {"clock", "more_pats", "more_ca_secrets", "twilio_verified"}
        or default is ...
    ):
        raise ValueError(f"{name!r} is not a manner; there are {', '.join(manners())}")
    try:
        return _read(default, value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be {value!r}") from error


def _read(default: object, value: object) -> object:
    if default is None:  # the limits that may be absent are whole numbers
        return int(str(value)) if value not in (None, "") else None
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
        return tuple(float(part) for part in parts)
    if isinstance(default, bool):
        return str(value).lower() in {"1", "true", "yes", "on"}
    return type(default)(value)  # type: ignore[call-arg]


def manners() -> list[str]:
    """The names of what may be changed while a simulator runs."""
    fixed = {*VARIABLES.values(), "clock", "seed", "senders", "more_pats", "more_ca_secrets", "twilio_verified"}
    return [entry.name for entry in fields(Config) if entry.name not in fixed]
