"""Slack: messages in Block Kit through its Web API."""

from notifiers.slack.notifier import SlackConfig, SlackNotifier

__all__ = ["SlackConfig", "SlackNotifier"]
