"""Messages to Slack: to a channel, or to a person by e-mail address."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.message import Message, Picture, Receipt
from notifiers.notifier import AddressCheck, Capabilities, Notifier
from notifiers.slack.config import SlackConfig
from notifiers.slack.errors import Refusal
from notifiers.slack.render import blocks, fallback

if TYPE_CHECKING:
    from notifiers.slack.client import Client
    from notifiers.transport import Timeouts

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"#[^\s#@,:]{1,80}|[CDGUW][A-Z0-9]{2,}|[^\s@,:<>]+@[^\s@,:<>]+\.[^\s@,:<>]+")
TOKEN = re.compile(r"[!-~]+")
# https://docs.slack.dev/reference/scopes
SCOPES = {"chat:write": "messages", "files:write": "pictures", "users:read.email": "messages by e-mail address"}


class SlackNotifier(Notifier):
    """Posts with the bot's token; pictures go into the thread of their message."""

    kind: ClassVar[str] = "slack"
    label: ClassVar[str] = "Slack"
    config_class: ClassVar[type[Config]] = SlackConfig
    capabilities: ClassVar[Capabilities] = Capabilities(picture=True)
    example: ClassVar[str] = "slack:#channel"

    config: SlackConfig

    def __init__(self, config: SlackConfig, **options: Any) -> None:
        super().__init__(config, **options)
        self._user_ids: dict[str, str] = {}

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the channel (`#name` or an id such as C0123), or the person's id or e-mail address."""
        if not ADDRESS.fullmatch(text):
            raise ValueError(
                f"{text!r} is not an address in Slack. Write #channel, an id such as C0123, or an e-mail address"
            )
        return text

    def deliver(self, message: Message, address: str) -> Receipt:
        """Post the message. The receipt has the id of the channel and the time stamp of the message."""
        channel = self._user_id(address) if "@" in address else address
        text = fallback(message)
        try:
            posted = self._client.post(channel, text, blocks(message))
        except Refusal as error:
            if not error.blocks_refused:
                raise
            log.warning("Slack refused the layout of a message, posting it as text: %s", error)
            posted = self._client.post(channel, text)
        return Receipt(channel=str(posted.get("channel") or channel), id=str(posted.get("ts") or ""))

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        """Upload the picture into the thread of the message; the bot must be a member of the channel."""
        if not picture.data:
            raise NotifierError(f"The picture {picture.filename} is empty", permanent=True, sent=False)
        try:
            self._client.upload(picture, channel=receipt.channel, thread=receipt.id)
        except NotifierError as error:
            error.prefix(f"Could not add the picture {picture.filename} to the message in slack:{receipt.channel}. ")
            raise

    def check(self) -> str:
        """Ask Slack whose token it is (`auth.test`) and which scopes are missing."""
        self.require_configured()
        identity = self._client.auth_test()
        line = f"Slack: {identity.get('user')} in {identity.get('team')} ({identity.get('url')})"
        header = identity.headers.get("x-oauth-scopes", "")
        granted = {scope.strip() for scope in header.split(",")}
        missing = [f"{scope} for {use}" for scope, use in SCOPES.items() if header and scope not in granted]
        return f"{line}; missing scopes: {', '.join(missing)}" if missing else line

    def check_addresses(self, addresses: Sequence[str]) -> Iterator[AddressCheck]:
        """Look up the channels and users, with at most 40 calls of at most 10 seconds each."""
        from notifiers.slack.addresses import CHECK_TIMEOUTS, AddressChecker  # noqa: PLC0415 - slack_sdk is slow to import

        self.require_configured()
        return AddressChecker(self._make_client(CHECK_TIMEOUTS)).check(addresses)

    @cached_property
    def _client(self) -> Client:
        return self._make_client()

    def _make_client(self, timeouts: Timeouts | None = None) -> Client:
        from notifiers.slack.client import Client  # noqa: PLC0415 - slack_sdk is slow to import; few commands need it
        from notifiers.transport import Transport  # noqa: PLC0415 - as above

        token = self.config.token.strip()
        if not TOKEN.fullmatch(token) or token.startswith("http"):
            words = "SLACK_TOKEN is not a bot token, which starts with xoxb- and contains no spaces"
            raise NotifierError(words, permanent=True, sent=False)
        transport = Transport("Slack", secrets=[token], ca_bundle=self.ca_bundle)
        return Client(
            token=token, api_url=self.config.api_url, transport=transport, clock=self.clock, timeouts=timeouts
        )

    def _user_id(self, email: str) -> str:
        if email not in self._user_ids:
            self._user_ids[email] = self._client.user_id(email)
        return self._user_ids[email]
