"""Messages on the terminal, or in the log that collects the standard output."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from notifiers.config import Config
from notifiers.console.config import ConsoleConfig
from notifiers.errors import NotifierError
from notifiers.forks import Lock
from notifiers.message import Message, Receipt
from notifiers.notifier import Notifier


class ConsoleNotifier(Notifier):
    """Prints one block a message, coloured on a terminal and plain elsewhere."""

    kind: ClassVar[str] = "console"
    label: ClassVar[str] = "Console"
    config_class: ClassVar[type[Config]] = ConsoleConfig
    example: ClassVar[str] = "console"

    config: ConsoleConfig

    def __init__(self, config: ConsoleConfig, **options: Any) -> None:
        super().__init__(config, **options)
        self._lock = Lock()

    @staticmethod
    def parse_address(text: str) -> str:
        """Raise ValueError: there is only one console."""
        raise ValueError(f"The console has no addresses. Write console, not console:{text}")

    def deliver(self, message: Message, address: str) -> Receipt:  # noqa: ARG002 - the interface has it
        """Print the message with a single write, so that lines of several processes do not mix."""
        from notifiers.console.render import render  # noqa: PLC0415 - rich is slow to import

        stream = self.config.stream or sys.stdout
        # People at a terminal read local time.
        now = self.clock().astimezone()
        try:
            block = render(message, now, terminal=stream.isatty(), encoding=stream.encoding or "utf-8")
            with self._lock:
                stream.write(block)
                stream.flush()
        except (OSError, ValueError) as error:
            raise NotifierError(f"The console is not writable: {error}", permanent=True) from error
        return Receipt("console", "")

    def check(self) -> str:
        """Return where the messages go; there is nothing that can fail."""
        return "Console: prints to the standard output"
