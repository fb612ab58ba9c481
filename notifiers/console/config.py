"""The settings of the console notifier, which has no variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TextIO

from notifiers.config import Config


@dataclass(frozen=True)
class ConsoleConfig(Config):
    """The stream to print to; None means the standard output at the time of printing."""

    stream: TextIO | None = None

    def service_urls(self) -> list[str]:
        """Return no URL: nothing leaves the machine."""
        return []
