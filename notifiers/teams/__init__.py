"""Microsoft Teams: Adaptive Cards through workflows of Power Automate."""

from __future__ import annotations

from notifiers.teams.config import TeamsConfig
from notifiers.teams.notifier import TeamsNotifier

__all__ = ["TeamsConfig", "TeamsNotifier"]
