"""The console: messages on the terminal or in the log."""

from __future__ import annotations

from notifiers.console.config import ConsoleConfig
from notifiers.console.notifier import ConsoleNotifier

__all__ = ["ConsoleConfig", "ConsoleNotifier"]
