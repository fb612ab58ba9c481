"""Tells whoever looks at the terminal or reads the log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TextIO

from notifiers.errors import NotifierError, utc_now
from notifiers.message import Message, Picture, Receipt


@dataclass(frozen=True)
class ConsoleConfig:
    """The stream to print to; None means the standard output of the moment."""

    stream: TextIO | None = None
    complete = addressed = True


class ConsoleNotifier:
    """Prints one block a message, coloured on a terminal and plain elsewhere."""

    kind = "console"

    def __init__(self, config: ConsoleConfig, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._config = config
        self._clock = clock
        self._lock = Lock()

    @staticmethod
    def address(text: str) -> str:
        """There is only one console."""
        raise ValueError(f"the console has no addresses; write console, not console:{text}")

    def send(self, message: Message, to: str | None) -> Receipt:  # noqa: ARG002 (the Notifier protocol)
        """Print the message with a single write, so that lines of several processes do not mix."""
        from notifiers.console.terminal import rendered  # noqa: PLC0415 — only who prints pays for it

        stream = self._config.stream or sys.stdout
        now = self._clock().astimezone()  # people at a terminal read local time
        try:
            block = rendered(message, now, terminal=stream.isatty(), encoding=stream.encoding or "utf-8")
            with self._lock:
                stream.write(block)
                stream.flush()
        except (OSError, ValueError) as error:
            raise NotifierError(f"The console cannot be written to: {error}", permanent=True) from error
        return Receipt("console", "")

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        """Nothing: text has no pictures."""

    def check(self) -> str:
        """Always fine."""
        return "Console: prints to the standard output"
