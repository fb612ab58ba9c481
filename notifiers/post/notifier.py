"""Messages to programs: a POST request with the message as JSON, signed by Standard Webhooks.

https://www.standardwebhooks.com/
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import ClassVar
from urllib.parse import urlsplit

from notifiers.address_guard import AddressGuard
from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.message import Message, Posted, Receipt
from notifiers.named_notifier import NamedNotifier, address_of, receipt_of
from notifiers.notifier import Capabilities
from notifiers.post.config import PostConfig
from notifiers.post.render import render
from notifiers.post.signature import parse_secrets, signed_headers
from notifiers.responses import refusal


class PostNotifier(NamedNotifier):
    """Posts to the programs of POST_URLS, which get each state of an incident as a request of its own.

    A request may be repeated, with the same `webhook-id`; so its errors are never uncertain. Redirects are refused.
    """

    kind: ClassVar[str] = "post"
    label: ClassVar[str] = "Signed POST"
    config_class: ClassVar[type[Config]] = PostConfig
    capabilities: ClassVar[Capabilities] = Capabilities(edit=True, actions=True)
    example: ClassVar[str] = "post:ops"
    service: ClassVar[str] = "The program"

    config: PostConfig

    def deliver(self, message: Message, address: str) -> Receipt:
        """Post the message, and return the receipt with its `webhook-id`."""
        return receipt_of(address, self._post(message, address))

    def edit(self, posted: Posted, message: Message) -> Posted:
        """Post the new state of the message."""
        address = address_of(posted.channel)
        try:
            self._post(message, address)
        except NotifierError as error:
            error.prefix(f"Could not send the change to post:{posted.channel}. ")
            raise
        return posted

    def call(
        self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, accepted: Collection[int] = ()
    ) -> int:
        """Post JSON to any other address, and return the status. Raises NotifierError.

        `accepted` are the statuses that mean success; without any, all from 200 to 299 do. The same addresses are
        refused as in POST_URLS, and redirects. After `seconds` without a complete response the error is uncertain.
        """
        from notifiers.transport import Request, Timeouts  # noqa: PLC0415 - commands that send nothing need no HTTP

        self.guard.require_allowed(url)
        request = Request("POST", url, {**headers, "Content-Type": "application/json"}, body)
        response = self._transport.send(request, Timeouts(step=seconds, total=seconds))
        if response.status in accepted or (not accepted and 200 <= response.status < 300):
            return response.status
        reason = response.body.decode("utf-8", "replace")
        if 300 <= response.status < 400:
            reason = "redirects are not followed"
        raise refusal("The system", response.status, response.headers, self.clock(), reason)

    def check(self) -> str:
        """Check the secret and the addresses, without a request."""
        entries, secrets = self.entries(), self._secrets()
        for one in entries:
            self.guard.require_allowed(one.value)
        names = ", ".join(one.name or urlsplit(one.value).hostname or "" for one in entries)
        keys = f"{len(secrets)} secrets" if len(secrets) > 1 else "one secret"
        return f"Signed POST: {names}, with {keys}; no request was sent"

    @cached_property
    def guard(self) -> AddressGuard:
        """The guard that refuses private addresses which POST_ALLOW does not have."""
        try:
            return AddressGuard(self.config.allowed, "POST_ALLOW")
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None

    def _secrets(self) -> list[bytes]:
        try:
            return parse_secrets(self.config.secret)
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None

    def _post(self, message: Message, address: str) -> str:
        url, now = self.config.entry(address).value, self.clock()
        self.guard.require_allowed(url)
        secrets = self._secrets()
        # The same in each attempt, so that the program can recognize a repeated request.
        name = f"{url} {message.id}" if message.id else uuid.uuid4().hex
        message_id, body = f"msg_{hashlib.sha256(name.encode()).hexdigest()[:32]}", render(message, now)
        headers = signed_headers(secrets, message_id, int(now.timestamp()), body)
        try:
            response = self.post_json(url, body, headers)
            if not 200 <= response.status < 300:
                reason = "redirects are not followed; correct POST_URLS" if 300 <= response.status < 400 else ""
                if response.status == 410:
                    reason = "the program wants no more messages; remove it from POST_URLS"
                raise refusal("The program", response.status, response.headers, now, reason)
        except NotifierError as error:
            error.uncertain = False
            raise
        return message_id
