"""Messages through Slack's incoming webhooks, which can neither be edited nor replied to.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.limits import Limit, Operation
from notifiers.message import Mention, Message, Receipt
from notifiers.named import parse_name
from notifiers.notifier import Capabilities, Notifier
from notifiers.slack.render import Mentioned, blocks, fallback, plain_blocks
from notifiers.slack_webhook.config import SlackWebhookConfig
from notifiers.slack_webhook.errors import BLOCKS_REFUSED, refusal
from notifiers.values import Link

if TYPE_CHECKING:
    from notifiers.transport import Response, Transport


class SlackWebhookNotifier(Notifier):
    """Posts to the channels of SLACK_WEBHOOK_URLS."""

    kind: ClassVar[str] = "slack_webhook"
    label: ClassVar[str] = "Slack webhook"
    config_class: ClassVar[type[Config]] = SlackWebhookConfig
    capabilities: ClassVar[Capabilities] = Capabilities(mention=True, actions=True)
    example: ClassVar[str] = "slack_webhook:bi"

    config: SlackWebhookConfig

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the name of a webhook. Raises ValueError for a text that cannot be one."""
        return parse_name("slack_webhook", "SLACK_WEBHOOK_URLS", text)

    def deliver(self, message: Message, address: str) -> Receipt:
        """Post the message; if Slack refuses the layout, with a simpler one."""
        url = self.config.entry(address).value
        menu = tuple(entry for entry in message.menu if isinstance(entry, Link))
        message = replace(message, buttons=(), menu=menu)
        mentioned = _mentioned(message.mentions)
        text = fallback(message, mentioned)
        layouts = [
            blocks(message, mentioned, native_table=native) for native in ((True, False) if message.table else (False,))
        ]
        for layout in (*layouts, plain_blocks(message)):
            response = self._post(url, {"text": text, "blocks": layout, "unfurl_links": False, "unfurl_media": False})
            if response.status == 200 and response.body.strip() == b"ok":
                return Receipt(address or "default", "")
            if response.body.strip().decode("ascii", "replace") not in BLOCKS_REFUSED:
                break
        raise refusal(response, self.clock())

    def check(self) -> str:
        """Return the names of the webhooks. Slack is not asked, because a webhook can only post."""
        self.require_configured()
        try:
            entries = self.config.entries()
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        names = ", ".join(one.name or f"number {one.position}" for one in entries)
        return f"Slack webhook: {names}; not asked, because a webhook can only post"

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - it can only post
        """Return Slack's limit: one message a second for each webhook."""
        return (Limit(f"slack_webhook {to or ''}", 1, 1.0),)

    @cached_property
    def _transport(self) -> Transport:
        from notifiers.transport import Transport  # noqa: PLC0415 - commands that send nothing start without HTTP

        return Transport("Slack", secrets=self.config.secrets(), ca_bundle=self.ca_bundle)

    def _post(self, url: str, body: dict[str, Any]) -> Response:
        from notifiers.transport import Request  # noqa: PLC0415 - as above

        return self._transport.send(
            Request("POST", url, {"Content-Type": "application/json"}, json.dumps(body).encode())
        )


def _mentioned(mentions: tuple[Mention, ...]) -> Mentioned:
    """Return the mentions that need no lookup as Slack's markup; a webhook cannot look up the others."""
    tokens = dict(_tokens(mentions))
    return Mentioned(tuple(tokens.values()), tuple(one for one in mentions if one not in tokens))


def _tokens(mentions: tuple[Mention, ...]) -> Iterator[tuple[Mention, str]]:
    for one in mentions:
        if one.kind in ("here", "channel"):
            yield one, f"<!{one.kind}>"
        elif one.kind == "id":
            yield one, f"<!subteam^{one.name}>" if one.name.startswith("S") else f"<@{one.name}>"
