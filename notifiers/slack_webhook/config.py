"""The variable of the notifier for Slack's incoming webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import variable
from notifiers.named import NamedConfig


@dataclass(frozen=True)
class SlackWebhookConfig(NamedConfig):
    """The addresses of the webhooks, one for each channel."""

    list_variable: ClassVar[str] = "SLACK_WEBHOOK_URLS"
    example_value: ClassVar[str] = "https://hooks.slack.com/services/…"

    urls: str = variable(
        "SLACK_WEBHOOK_URLS",
        "Slack's incoming webhooks, one for each channel: `bi=https://hooks.slack.com/services/…`, separated by spaces "
        "or commas, for `slack_webhook:bi`; the first one is `slack_webhook`",
        secret=True,
        required=True,
    )
