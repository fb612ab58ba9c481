"""Slack: messages in Block Kit through its Web API."""

from __future__ import annotations

from notifiers.slack.config import SlackConfig
from notifiers.slack.notifier import SlackNotifier

__all__ = ["SlackConfig", "SlackNotifier"]
