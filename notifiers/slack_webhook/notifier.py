"""Messages through Slack's incoming webhooks, which can neither be edited nor replied to.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import ClassVar

from notifiers.config import Config
from notifiers.limits import Limit, Operation
from notifiers.message import Mention, Message, Receipt
from notifiers.named_notifier import NamedNotifier, receipt_of
from notifiers.notifier import Capabilities
from notifiers.slack.render import Mentioned, blocks, fallback, plain_blocks
from notifiers.slack_webhook.config import SlackWebhookConfig
from notifiers.slack_webhook.errors import BLOCKS_REFUSED, refusal
from notifiers.values import Link


class SlackWebhookNotifier(NamedNotifier):
    """Posts to the channels of SLACK_WEBHOOK_URLS."""

    kind: ClassVar[str] = "slack_webhook"
    label: ClassVar[str] = "Slack webhook"
    config_class: ClassVar[type[Config]] = SlackWebhookConfig
    capabilities: ClassVar[Capabilities] = Capabilities(mention=True, actions=True)
    example: ClassVar[str] = "slack_webhook:bi"
    service: ClassVar[str] = "Slack"
    not_asked: ClassVar[str] = "a webhook can only post"

    config: SlackWebhookConfig

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
            body = {"text": text, "blocks": layout, "unfurl_links": False, "unfurl_media": False}
            response = self.post_json(url, json.dumps(body).encode())
            if response.status == 200 and response.body.strip() == b"ok":
                return receipt_of(address)
            if response.body.strip().decode("ascii", "replace") not in BLOCKS_REFUSED:
                break
        raise refusal(response, self.clock())

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - it can only post
        """Return Slack's limit: one message a second for each webhook."""
        return (Limit(f"slack_webhook {to or ''}", 1, 1.0),)


def _mentioned(mentions: tuple[Mention, ...]) -> Mentioned:
    """Return the mentions that need no lookup as Slack's markup; a webhook cannot look up the others."""
    tokens: dict[Mention, str] = {}
    for one in mentions:
        if one.kind in ("here", "channel"):
            tokens[one] = f"<!{one.kind}>"
        elif one.kind == "id":
            tokens[one] = f"<!subteam^{one.name}>" if one.name.startswith("S") else f"<@{one.name}>"
    return Mentioned(tuple(tokens.values()), tuple(one for one in mentions if one not in tokens))
