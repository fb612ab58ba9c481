"""Tells people in Slack: a channel, or one person by e-mail address."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from notifiers.errors import NotifierError, demand, utc_now
from notifiers.message import Message, Picture, Receipt
from notifiers.slack.blocks import blocks, fallback
from notifiers.slack.errors import Refusal
from notifiers.transport import Transport

if TYPE_CHECKING:
    from notifiers.slack.client import Client

log = logging.getLogger(__name__)

SLACK_API_URL = "https://slack.com/api/"
ADDRESS = re.compile(r"#[^\s#@,:]{1,80}|[CDGUW][A-Z0-9]{2,}|[^\s@,:<>]+@[^\s@,:<>]+\.[^\s@,:<>]+")
TOKEN = re.compile(r"[!-~]+")
# https://docs.slack.dev/reference/scopes
SCOPES = {"chat:write": "messages", "files:write": "pictures", "users:read.email": "messages by e-mail address"}


@dataclass(frozen=True)
class SlackConfig:
    """A bot token (`xoxb-…`), the default channel (an id or `#name`), and where Slack's Web API is."""

    token: str | None = field(default=None, repr=False)
    channel: str | None = None
    api_url: str | None = None

    @property
    def complete(self) -> bool:
        """Whether there is a token."""
        return bool(self.token)

    @property
    def addressed(self) -> bool:
        """Whether a message without an address has a channel to go to."""
        return bool(self.token and self.channel)


class SlackNotifier:
    """Posts with the bot's token; pictures go into the thread of their message."""

    kind = "slack"

    def __init__(self, config: SlackConfig, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._config = config
        self._clock = clock
        self._user_ids: dict[str, str] = {}

    @staticmethod
    def address(text: str) -> str:
        """A channel (`#name` or an id such as C0123), a person's id or e-mail address."""
        if not ADDRESS.fullmatch(text):
            raise ValueError(
                f"{text!r} is no place in Slack; write #channel, an id such as C0123, or an e-mail address"
            )
        return text

    def send(self, message: Message, to: str | None) -> Receipt:
        """Post the message; the receipt has the channel's id and the message's time stamp."""
        channel = self._channel(to)
        answer = self._post(channel, message)
        return Receipt(channel=str(answer.get("channel") or channel), id=str(answer.get("ts", "")))

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        """Upload the picture into the thread of the message; the bot must be a member of the channel."""
        if not picture.data:
            raise NotifierError(f"The picture {picture.filename} is empty", permanent=True)
        self._client.upload(picture, channel=receipt.channel, thread=receipt.id)

    def check(self) -> str:
        """Ask Slack who we are (`auth.test`) and which scopes are missing."""
        answer = self._client.auth_test()
        line = f"Slack: {answer.get('user')} in {answer.get('team')} ({answer.get('url')})"
        header = answer.headers.get("x-oauth-scopes", "")
        granted = {scope.strip() for scope in header.split(",")}
        missing = [f"{scope} for {use}" for scope, use in SCOPES.items() if header and scope not in granted]
        return f"{line}; scopes it has not: {', '.join(missing)}" if missing else line

    @cached_property
    def _client(self) -> Client:
        from notifiers.slack.client import Client  # noqa: PLC0415 - slack_sdk is slow to import; few commands need it

        demand("Slack", SLACK_TOKEN=self._config.token)
        token = (self._config.token or "").strip()
        if not TOKEN.fullmatch(token) or token.startswith("http"):
            raise NotifierError("SLACK_TOKEN is not a token; it looks like xoxb-… and stands alone", permanent=True)
        transport = Transport("Slack", secrets=[token])
        return Client(
            token=token, api_url=self._config.api_url or SLACK_API_URL, transport=transport, clock=self._clock
        )

    def _channel(self, to: str | None) -> str:
        place = to or self._config.channel
        if not place:
            raise NotifierError("Slack has no channel: set SLACK_CHANNEL, or write slack:#channel", permanent=True)
        return self._user_id(place) if "@" in place else place

    def _user_id(self, email: str) -> str:
        if email not in self._user_ids:
            self._user_ids[email] = self._client.user_id(email)
        return self._user_ids[email]

    def _post(self, channel: str, message: Message) -> dict[str, Any]:
        text = fallback(message)
        try:
            return self._client.post(channel, text, blocks(message))
        except Refusal as error:
            if not error.blocks_refused:
                raise
            log.warning("Slack refused the layout of a message; it is posted as text: %s", error)
            return self._client.post(channel, text)
