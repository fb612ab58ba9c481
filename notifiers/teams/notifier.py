"""Messages to Teams through workflows of Power Automate, which can neither be edited nor replied to.

https://support.microsoft.com/office/8ae491c7-0394-4861-ba59-055e33f75498
"""

from __future__ import annotations

from typing import ClassVar

from notifiers.config import Config
from notifiers.limits import Limit, Operation
from notifiers.message import Message, Receipt
from notifiers.named_notifier import NamedNotifier, receipt_of
from notifiers.notifier import Capabilities
from notifiers.teams.config import TeamsConfig
from notifiers.teams.errors import refusal
from notifiers.teams.render import render

# Requests a second to one address; more are refused.
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
REQUESTS, SECONDS = 4, 1.0


class TeamsNotifier(NamedNotifier):
    """Posts a card to the workflows of TEAMS_URLS."""

    kind: ClassVar[str] = "teams"
    label: ClassVar[str] = "Teams"
    config_class: ClassVar[type[Config]] = TeamsConfig
    capabilities: ClassVar[Capabilities] = Capabilities(actions=True)
    example: ClassVar[str] = "teams:bi"
    service: ClassVar[str] = "Teams"
    not_asked: ClassVar[str] = "a workflow can only post"

    config: TeamsConfig

    def deliver(self, message: Message, address: str) -> Receipt:
        """Let the workflow post the message; the workflow responds before it does."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        response = self.post_json(self.config.entry(address).value, render(message), headers)
        if not 200 <= response.status < 300:
            raise refusal(response, self.clock())
        return receipt_of(address)

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - it can only post
        """Return the limit of requests to the address of one workflow."""
        return (Limit(f"teams {to or ''}", REQUESTS, SECONDS),)
