"""The messages that the services have taken, and the alerts of PagerDuty."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Taken:
    """One message as a service took it: `place` is where it is shown, `data` is all of it."""

    kind: str
    place: str
    title: str
    text: str
    at: datetime
    data: Any = field(repr=False)


@dataclass
class Alert:
    """An alert of PagerDuty; `log` has the events about it."""

    service: str
    key: str
    summary: str
    severity: str
    status: str = "triggered"
    log: list[str] = field(default_factory=list)


class Taking:
    """All messages, oldest first, and the alerts. Hold the world's lock to change it."""

    def __init__(self) -> None:
        self.messages: list[Taken] = []
        self.alerts: list[Alert] = []
        # The ids of requests that the program has taken, as it must recognize repeated ones.
        self.ids: set[str] = set()

    def of(self, kind: str) -> list[Taken]:
        """Return the messages of one kind of service."""
        return [message for message in self.messages if message.kind == kind]
