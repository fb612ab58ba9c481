"""The table of notifiers, and how a text such as `slack:#finance` names a destination."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Self

from notifiers.apprise import AppriseNotifier
from notifiers.config import Config, Variable
from notifiers.console import ConsoleNotifier
from notifiers.email import EmailNotifier
from notifiers.errors import NotifierError, utc_now
from notifiers.forks import Lock
from notifiers.notifier import Notifier
from notifiers.pagerduty import PagerDutyNotifier
from notifiers.post import PostNotifier
from notifiers.slack import SlackNotifier
from notifiers.slack_webhook import SlackWebhookNotifier
from notifiers.teams import TeamsNotifier
from notifiers.twilio import TwilioNotifier

# One line for each kind. Its variables, default address, capabilities and errors are in its own folder.
KINDS: dict[str, type[Notifier]] = {
    "slack": SlackNotifier,
    "slack_webhook": SlackWebhookNotifier,
    "teams": TeamsNotifier,
    "email": EmailNotifier,
    "twilio": TwilioNotifier,
    "pagerduty": PagerDutyNotifier,
    "post": PostNotifier,
    "apprise": AppriseNotifier,
    "console": ConsoleNotifier,
}


# What people write instead of the name of a kind.
OTHER_NAMES = {
    "mail": "email",
    "e-mail": "email",
    "smtp": "email",
    "sms": "twilio",
    "phone": "twilio",
    "pd": "pagerduty",
}
PHONE = re.compile(r"\+[\d ()/.-]{5,}")


class UnknownKind(ValueError):
    """A text that begins like no destination."""


@dataclass(frozen=True)
class Destination:
    """A kind of notifier and an address of this kind; `to` None is the configured default address."""

    kind: str
    to: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.to}" if self.to else self.kind


def parse_destination(text: str) -> Destination:
    """Return the destination that `kind` or `kind:address` names. Raises ValueError that shows a valid one."""
    kind, colon, to = (part.strip() for part in text.partition(":"))
    several = [part.strip() for part in text.split(",")]
    if len(several) > 1 and all(part.partition(":")[0] in KINDS for part in several):
        written = ", ".join(f'"{part}"' for part in several)
        raise ValueError(f"{text!r} names several destinations. Write a list: [{written}]")
    if kind not in KINDS:
        if meant := _meant(text):
            raise ValueError(f"{text!r} is not a destination. Did you mean {meant}?")
        raise UnknownKind(f"{text!r} is not a destination. Start with one of: {', '.join(KINDS)}")
    if colon and not to:
        raise ValueError(f"{text!r} has no address after the colon. Write {kind} for the default address")
    return Destination(kind, KINDS[kind].parse_address(to) if to else None)


def _meant(text: str) -> str:
    """Return the destinations that a text without a known kind probably means, in quotes; empty if none is similar."""
    kind, _, to = (part.strip() for part in text.partition(":"))
    if kind.startswith("#"):
        kinds, to = ["slack"], text.strip()
    elif "@" in kind:
        kinds, to = ["email", "slack"], text.strip()
    elif PHONE.fullmatch(kind):
        kinds, to = ["twilio"], text.strip()
    else:
        kinds = [OTHER_NAMES.get(kind.casefold(), "")]
        kinds = kinds if kinds[0] else get_close_matches(kind.casefold(), KINDS, n=1, cutoff=0.7)
    return " or ".join(f'"{one}:{to}"' if to else f'"{one}"' for one in kinds)


class Notifiers(Mapping[str, Notifier]):
    """The notifiers by kind, each made on first use. Thread-safe.

    All kinds are present; one that is not configured raises an error that names its variables when it is used.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        ca_bundle: str = "",
        public_url: str = "",
        **configs: Config,
    ) -> None:
        self.configs = {kind: configs.get(kind) or notifier.config_class() for kind, notifier in KINDS.items()}
        self._clock = clock
        self._ca_bundle = ca_bundle
        self._public_url = public_url
        self._made: dict[str, Notifier] = {}
        self._lock = Lock()

    @classmethod
    def from_variables(cls, values: Mapping[str, str], *, ca_bundle: str = "", public_url: str = "") -> Self:
        """Return the notifiers, configured by the values of all their variables."""
        notifiers = cls(ca_bundle=ca_bundle, public_url=public_url)
        notifiers.configs.update(
            {kind: notifier.config_class.from_variables(values) for kind, notifier in KINDS.items()}
        )
        return notifiers

    @property
    def configured(self) -> tuple[str, ...]:
        """The kinds whose required variables are set."""
        return tuple(kind for kind, config in self.configs.items() if config.is_complete)

    @cached_property
    def with_default_address(self) -> tuple[str, ...]:
        """The kinds that can deliver to a destination without an address."""
        return tuple(kind for kind, config in self.configs.items() if config.has_default_address)

    def __getitem__(self, kind: str) -> Notifier:
        """Return the notifier of this kind. Raises a permanent NotifierError for an unknown kind."""
        if kind not in KINDS:
            raise NotifierError(f"Unknown notifier {kind!r}. Choose one of: {', '.join(KINDS)}", permanent=True)
        with self._lock:
            if kind not in self._made:
                self._made[kind] = KINDS[kind](
                    self.configs[kind], clock=self._clock, ca_bundle=self._ca_bundle, public_url=self._public_url
                )
            return self._made[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in KINDS

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)


def variables() -> list[Variable]:
    """Return the variables of all notifiers, in the order of the table."""
    return [declared for notifier in KINDS.values() for declared in notifier.config_class.variables()]


def secrets(values: Mapping[str, str]) -> list[str]:
    """Return every secret among the values of the notifiers' variables, for masking."""
    configs = (notifier.config_class.from_variables(values) for notifier in KINDS.values())
    return [secret for config in configs for secret in config.secrets()]
