"""Messages to programs: a POST request with the message as JSON, signed by Standard Webhooks.

https://www.standardwebhooks.com/
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from notifiers.address_guard import AddressGuard
from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.message import Message, Posted, Receipt
from notifiers.named import parse_name
from notifiers.notifier import Capabilities, Notifier
from notifiers.post.config import PostConfig
from notifiers.post.render import render
from notifiers.post.signature import parse_secrets, signed_headers
from notifiers.responses import refusal

if TYPE_CHECKING:
    from notifiers.transport import Transport


class PostNotifier(Notifier):
    """Posts to the programs of POST_URLS, which get each state of an incident as a request of its own.

    A request may be repeated, with the same `webhook-id`; so its errors are never uncertain. Redirects are refused.
    """

    kind: ClassVar[str] = "post"
    label: ClassVar[str] = "Signed POST"
    config_class: ClassVar[type[Config]] = PostConfig
    capabilities: ClassVar[Capabilities] = Capabilities(edit=True, actions=True)
    example: ClassVar[str] = "post:ops"

    config: PostConfig

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the name of a program. Raises ValueError for a text that cannot be one."""
        return parse_name("post", "POST_URLS", text)

    def deliver(self, message: Message, address: str) -> Receipt:
        """Post the message, and return the receipt with its `webhook-id`."""
        return Receipt(address or "default", self._post(message, address))

    def edit(self, posted: Posted, message: Message) -> Posted:
        """Post the new state of the message."""
        address = "" if posted.channel == "default" else posted.channel
        try:
            self._post(message, address)
        except NotifierError as error:
            error.prefix(f"Could not send the change to post:{posted.channel}. ")
            raise
        return posted

    def check(self) -> str:
        """Check the secret and the addresses, without a request."""
        self.require_configured()
        try:
            entries, secrets = self.config.entries(), parse_secrets(self.config.secret)
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        for one in entries:
            self._guard.require_allowed(one.value)
        names = ", ".join(one.name or urlsplit(one.value).hostname or "" for one in entries)
        keys = f"{len(secrets)} secrets" if len(secrets) > 1 else "one secret"
        return f"Signed POST: {names}, with {keys}; no request was sent"

    def _post(self, message: Message, address: str) -> str:
        from notifiers.transport import Request  # noqa: PLC0415 - commands that send nothing start without HTTP

        url, now = self.config.entry(address).value, self.clock()
        self._guard.require_allowed(url)
        try:
            secrets = parse_secrets(self.config.secret)
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        # The same in each attempt, so that the program can recognize a repeated request.
        name = f"{url} {message.id}" if message.id else uuid.uuid4().hex
        message_id, body = f"msg_{hashlib.sha256(name.encode()).hexdigest()[:32]}", render(message, now)
        headers = signed_headers(secrets, message_id, int(now.timestamp()), body)
        try:
            response = self._transport.send(Request("POST", url, headers | {"Content-Type": "application/json"}, body))
            if not 200 <= response.status < 300:
                raise _refusal(self, response.status, response.headers)
        except NotifierError as error:
            error.uncertain = False
            raise
        return message_id

    @cached_property
    def _guard(self) -> AddressGuard:
        try:
            return AddressGuard(self.config.allowed, "POST_ALLOW")
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None

    @cached_property
    def _transport(self) -> Transport:
        from notifiers.transport import Transport  # noqa: PLC0415 - as above

        secrets = self.config.secrets()
        return Transport("The program", secrets=secrets, ca_bundle=self.ca_bundle, guard=self._guard)


def _refusal(notifier: PostNotifier, status: int, headers: Mapping[str, str]) -> NotifierError:
    reason = "redirects are not followed; correct POST_URLS" if 300 <= status < 400 else ""
    reason = "the program wants no more messages; remove it from POST_URLS" if status == 410 else reason
    return refusal("The program", status, headers, notifier.clock(), reason)
