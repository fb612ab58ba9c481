"""Messages to Teams through workflows of Power Automate, which can neither be edited nor replied to.

https://support.microsoft.com/office/8ae491c7-0394-4861-ba59-055e33f75498
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.limits import Limit, Operation
from notifiers.message import Message, Receipt
from notifiers.named import parse_name
from notifiers.notifier import Capabilities, Notifier
from notifiers.teams.config import TeamsConfig
from notifiers.teams.errors import refusal
from notifiers.teams.render import render

if TYPE_CHECKING:
    from notifiers.transport import Transport

# Requests a second to one address; more are refused.
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
REQUESTS, SECONDS = 4, 1.0


class TeamsNotifier(Notifier):
    """Posts a card to the workflows of TEAMS_URLS."""

    kind: ClassVar[str] = "teams"
    label: ClassVar[str] = "Teams"
    config_class: ClassVar[type[Config]] = TeamsConfig
    capabilities: ClassVar[Capabilities] = Capabilities(actions=True)
    example: ClassVar[str] = "teams:bi"

    config: TeamsConfig

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the name of a workflow. Raises ValueError for a text that cannot be one."""
        return parse_name("teams", "TEAMS_URLS", text)

    def deliver(self, message: Message, address: str) -> Receipt:
        """Let the workflow post the message; the workflow responds before it does."""
        from notifiers.transport import Request  # noqa: PLC0415 - commands that send nothing start without HTTP

        url = self.config.entry(address).value
        request = Request("POST", url, {"Content-Type": "application/json; charset=utf-8"}, render(message))
        response = self._transport.send(request)
        if not 200 <= response.status < 300:
            raise refusal(response, self.clock())
        return Receipt(address or "default", "")

    def check(self) -> str:
        """Return the names of the workflows. They are not asked, because each request to one is posted."""
        self.require_configured()
        try:
            entries = self.config.entries()
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        names = ", ".join(one.name or f"number {one.position}" for one in entries)
        return f"Teams: {names}; not asked, because a workflow can only post"

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - it can only post
        """Return the limit of requests to the address of one workflow."""
        return (Limit(f"teams {to or ''}", REQUESTS, SECONDS),)

    @cached_property
    def _transport(self) -> Transport:
        from notifiers.transport import Transport  # noqa: PLC0415 - as above

        return Transport("Teams", secrets=self.config.secrets(), ca_bundle=self.ca_bundle)
