"""Apprise: Teams, mail and about a hundred other services."""

from __future__ import annotations

from notifiers.apprise.config import AppriseConfig
from notifiers.apprise.notifier import AppriseNotifier

__all__ = ["AppriseConfig", "AppriseNotifier"]
