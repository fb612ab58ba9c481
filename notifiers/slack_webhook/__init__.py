"""Slack's incoming webhooks: messages to one channel, without an app of one's own."""

from __future__ import annotations

from notifiers.slack_webhook.config import SlackWebhookConfig
from notifiers.slack_webhook.notifier import SlackWebhookNotifier

__all__ = ["SlackWebhookConfig", "SlackWebhookNotifier"]
