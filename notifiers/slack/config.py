"""The variables of the Slack notifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import Config, variable


@dataclass(frozen=True)
class SlackConfig(Config):
    """A bot token, the default channel, and the address of Slack's Web API."""

    address_variable: ClassVar[str] = "SLACK_CHANNEL"

    token: str = variable(
        "SLACK_TOKEN",
        "Slack bot token (xoxb-…), with the scopes chat:write and files:write",
        secret=True,
        required=True,
    )
    channel: str = variable("SLACK_CHANNEL", "Channel of the destination `slack`: an id (C0123…) or a #name")
    api_url: str = variable("SLACK_API_URL", "Address of Slack's Web API", default="https://slack.com/api/")
    signing_secret: str = variable(
        "SLACK_SIGNING_SECRET",
        "Signing secret of the Slack app; with it, messages have buttons, whose presses Slack reports to "
        "`/slack/interactions`",
        secret=True,
    )

    app_token: str = variable(
        "SLACK_APP_TOKEN",
        "App-level token (xapp-…, scope connections:write) for Socket Mode: the presses of buttons come through a "
        "connection that the server opens; for servers without a public address",
        secret=True,
    )

    def service_urls(self) -> list[str]:
        """Return the address of the API."""
        return [self.api_url]
