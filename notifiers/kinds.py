"""The kinds of notifiers, and how a text such as `slack:#finance` names one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from notifiers.apprise.notifier import AppriseConfig, AppriseNotifier
from notifiers.console.notifier import ConsoleConfig, ConsoleNotifier
from notifiers.errors import NotifierError, utc_now
from notifiers.message import Notifier
from notifiers.slack import SlackConfig, SlackNotifier
from notifiers.twilio import TwilioConfig, TwilioNotifier

KINDS: dict[str, type[Notifier]] = {
    "slack": SlackNotifier,
    "twilio": TwilioNotifier,
    "apprise": AppriseNotifier,
    "console": ConsoleNotifier,
}


@dataclass(frozen=True)
class Destination:
    """A kind of notifier and an address in it; `to` None is the default one."""

    kind: str
    to: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.to}" if self.to else self.kind


def parse_destination(text: str) -> Destination:
    """`kind` or `kind:address` as a Destination; raises ValueError saying what would be right."""
    kind, colon, to = (part.strip() for part in text.partition(":"))
    if kind not in KINDS:
        raise ValueError(f"{text!r} is no destination; it begins with one of {', '.join(KINDS)}")
    if colon and not to:
        raise ValueError(f"{text!r} has nothing after the colon; write {kind} alone for the default")
    return Destination(kind, KINDS[kind].address(to) if to else None)


class Notifiers:
    """A mapping from kind to notifier, each made when first asked for. Thread-safe.

    All kinds are there; one that is not set up says so, naming the variables, when it is used.
    """

    def __init__(
        self,
        *,
        slack: SlackConfig | None = None,
        twilio: TwilioConfig | None = None,
        apprise: AppriseConfig | None = None,
        console: ConsoleConfig | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._configs: dict[str, Any] = {
            "slack": slack or SlackConfig(),
            "twilio": twilio or TwilioConfig(),
            "apprise": apprise or AppriseConfig(),
            "console": console or ConsoleConfig(),
        }
        self._clock = clock
        self._made: dict[str, Notifier] = {}
        self._lock = Lock()

    @property
    def configured(self) -> tuple[str, ...]:
        """The kinds that have what they need."""
        return tuple(kind for kind, config in self._configs.items() if config.complete)

    @property
    def with_default_address(self) -> tuple[str, ...]:
        """The kinds that can be told without an address: set up, and with a default one."""
        return tuple(kind for kind, config in self._configs.items() if config.addressed)

    def get(self, kind: str) -> Notifier:
        """The notifier of that kind; raises a permanent NotifierError naming the kinds if there is none."""
        if kind not in KINDS:
            raise NotifierError(f"There is no notifier {kind!r}; there are {', '.join(KINDS)}", permanent=True)
        with self._lock:
            if kind not in self._made:
                self._made[kind] = KINDS[kind](self._configs[kind], clock=self._clock)
            return self._made[kind]

    __getitem__ = get

    def __contains__(self, kind: object) -> bool:
        return kind in KINDS

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)
