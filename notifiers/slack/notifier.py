"""Messages to Slack: to a channel, or to a person by e-mail address."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from notifiers.config import Config
from notifiers.errors import CannotEdit, CannotReply, NotifierError
from notifiers.limits import Limit, Operation
from notifiers.message import Message, Picture, Posted, Receipt, Unknown
from notifiers.notifier import AddressCheck, Capabilities, Notifier, Permission, Person
from notifiers.slack.config import SlackConfig
from notifiers.slack.errors import CANNOT_EDIT, CANNOT_REPLY, CANNOT_WHISPER, GONE, Refusal
from notifiers.slack.limits import limits, method_limit
from notifiers.slack.manifest import manifest
from notifiers.slack.render import Block, blocks, fallback, plain_blocks
from notifiers.values import Link, usable_link

if TYPE_CHECKING:
    from notifiers.slack.client import Client
    from notifiers.slack.directory import Directory
    from notifiers.transport import Timeouts

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"#[^\s#@,:]{1,80}|[CDGUW][A-Z0-9]{2,}|[^\s@,:<>]+@[^\s@,:<>]+\.[^\s@,:<>]+")
TOKEN = re.compile(r"[!-~]+")
# Slack's clock may differ from ours; our ids are unique, so that looking further back finds nothing else.
CLOCK_TOLERANCE = timedelta(minutes=5)
# How long tables are sent as text after Slack refused its own table, which not every workspace has.
NATIVE_TABLE_RETRY = timedelta(hours=12)


class SlackNotifier(Notifier):
    """Posts with the bot's token; pictures go into the thread of their message."""

    kind: ClassVar[str] = "slack"
    label: ClassVar[str] = "Slack"
    config_class: ClassVar[type[Config]] = SlackConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        edit=True, thread=True, buttons=True, mention=True, picture=True
    )
    example: ClassVar[str] = "slack:#channel"
    # Members by id or e-mail address, and direct messages.
    personal: ClassVar[re.Pattern[str]] = re.compile(r"[DUW].+|.+@.+")
    permissions_intro: ClassVar[str] = (
        "The scopes of the Slack app (OAuth & Permissions). Without an optional one, messages are sent as well; only "
        "the ability in its row is missing. `flask notify test slack` lists those that are not granted."
    )
    # https://docs.slack.dev/reference/scopes
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("chat:write", "messages", required=True),
        Permission("files:write", "pictures", required=True),
        Permission("chat:write.public", "messages to public channels without an invitation"),
        Permission(
            "users:read.email",
            "messages to and mentions of people by e-mail address, and roles of people who press buttons, "
            "with users:read",
        ),
        Permission("users:read", "mentions of people by @name, and the full names of people who press buttons"),
        Permission("usergroups:read", "mentions of user groups by @name"),
        Permission("channels:history", "no repeated message in public channels after an unknown outcome"),
        Permission("groups:history", "the same in private channels"),
        Permission("im:history", "the same in direct messages, with im:write"),
        Permission("im:write", "the same in direct messages, with im:history"),
        Permission("channels:read", "that lookup, and checks, for public channels by #name"),
        Permission("groups:read", "that lookup, and checks, for private channels by #name"),
    )

    config: SlackConfig

    def __init__(self, config: SlackConfig, **options: Any) -> None:
        super().__init__(config, **options)
        self._tables_refused_at: datetime | None = None

    @property
    def has_buttons(self) -> bool:
        """Return whether presses reach the server: signed with the app's secret, or by Socket Mode."""
        return bool(self.config.signing_secret or self.config.app_token)

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the channel (`#name` or an id such as C0123), or the person's id or e-mail address in lower case."""
        if not ADDRESS.fullmatch(text):
            channel = f"#{text} for the channel" if ADDRESS.fullmatch(f"#{text}") else "#channel"
            raise ValueError(
                f"{text!r} is not an address in Slack. Write {channel}, an id such as C0123, or an e-mail address"
            )
        return text.lower() if "@" in text else text

    @classmethod
    def manifest(cls, interactions_url: str, *, socket_mode: bool = False) -> dict[str, Any] | None:
        """Return the manifest of the app, with all scopes and the way on which presses of buttons are reported."""
        return manifest(cls.permissions, interactions_url, socket_mode=socket_mode)

    def deliver(self, message: Message, address: str) -> Receipt:
        """Post the message. The receipt has the id of the channel and the time stamp of the message."""
        return self._post(message, address).receipt

    def post(self, message: Message, to: str | None, *, client_id: str = "") -> Posted:
        """Post a message that is going to be kept up to date; `client_id` travels in its metadata."""
        with self._addressed(to) as address:
            return self._post(message, address, client_id=client_id)

    def edit(self, posted: Posted, message: Message) -> Posted:
        """Replace the content of a message. Raises CannotEdit if Slack does not allow it."""
        self.require_configured()
        place = f"Could not edit the message in slack:{posted.channel}. "
        if not posted.id:
            raise CannotEdit(f"{place}Slack did not name the message", gone=True)

        def update(text: str, layout: list[Block] | None) -> Mapping[str, Any]:
            return self._client.update(posted.channel, posted.id, text, layout, client_id=posted.client_id)

        try:
            # An edit of a text without blocks could not switch off its markup.
            self._send(message, update, simplest=plain_blocks(message))
        except NotifierError as error:
            if isinstance(error, Refusal) and (error.name in CANNOT_EDIT or error.blocks_refused):
                raise CannotEdit(f"{place}{error}", gone=error.name in GONE) from error
            error.prefix(place)
            raise
        return posted

    def reply(self, posted: Posted, message: Message, *, client_id: str = "") -> Posted:
        """Post a message into the thread of another. Raises CannotReply if that is gone or locked."""
        self.require_configured()
        place = f"Could not reply to the message in slack:{posted.channel}. "
        if not posted.id:
            raise CannotReply(f"{place}Slack did not name the message")
        try:
            return self._post(message, posted.channel, thread=posted.id, client_id=client_id)
        except NotifierError as error:
            if isinstance(error, Refusal) and error.name in CANNOT_REPLY:
                raise CannotReply(f"{place}{error}") from error
            error.prefix(place)
            raise

    def find(
        self, to: str | None, client_id: str, since: datetime, *, thread: Posted | None = None
    ) -> Posted | Unknown | None:
        """Return the message with this `client_id` in the history of its channel; Unknown without the scopes for it.

        Raises NotifierError if Slack is unavailable; the lookup may be repeated.
        """
        from notifiers.slack.client import client_id_of  # noqa: PLC0415 - slack_sdk is slow to import

        if not client_id:
            return Unknown("The message has no id of ours")
        with self._addressed(to) as address:
            try:
                channel = thread.channel if thread else self._directory.conversation_id(address)
                if not channel:
                    return Unknown(f"Slack does not list {address} for this app")
                oldest = (since - CLOCK_TOLERANCE).timestamp()
                for message in self._client.messages(channel, oldest, thread=thread.id if thread else ""):
                    # Other apps can write metadata, too.
                    if client_id_of(message) == client_id and message.get("bot_id") == self._bot_id:
                        return Posted(self.kind, channel, str(message.get("ts")), client_id)
            except NotifierError as error:
                if not error.permanent:
                    raise
                return Unknown(str(error))
        return None

    def find_person(self, person: str) -> Person | None:
        """Return the member with this id; None without the scope for it. Raises NotifierError if it may pass."""
        self.require_configured()
        return self._directory.person(person)

    def whisper(self, message: Message, *, channel: str, person: str) -> None:
        """Show a message to one member in a channel, or directly if Slack shows them none there."""
        self.require_configured()

        def show(text: str, layout: list[Block] | None) -> Mapping[str, Any]:
            return self._client.show(channel, person, text, layout)

        try:
            self._send(message, show)
        except Refusal as error:
            if error.name not in CANNOT_WHISPER:
                raise
            self._post(message, person)

    def permalink(self, posted: Posted) -> Posted:
        """Return `posted` with the address of the message. Raises NotifierError."""
        self.require_configured()
        response = self._client.chat_getPermalink(channel=posted.channel, message_ts=posted.id)
        link = usable_link(Link(str(response.get("permalink"))))
        return replace(posted, permalink=link.url if link else "")

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:
        """Return Slack's limits for an operation; the lookup of an e-mail address counts only while it is not known."""
        address = to or self.config.default_address
        found = limits(operation, address)
        if "@" in address and operation in ("post", "find") and not self._directory.knows(address):
            found += (method_limit("users.lookupByEmail"),)
        return found

    def _post(self, message: Message, address: str, *, thread: str = "", client_id: str = "") -> Posted:
        channel = self._directory.user_id(address) if "@" in address else address

        def post(text: str, layout: list[Block] | None) -> Mapping[str, Any]:
            return self._client.post(channel, text, layout, thread=thread, client_id=client_id)

        said = self._send(message, post)
        posted = Posted(self.kind, str(said.get("channel") or channel), str(said.get("ts") or ""), client_id)
        self._directory.learn(address, posted.channel)
        return posted

    def _send(
        self,
        message: Message,
        call: Callable[[str, list[Block] | None], Mapping[str, Any]],
        *,
        simplest: list[Block] | None = None,
    ) -> Mapping[str, Any]:
        """Call with the message's text and layout; if Slack refuses that, with a simpler one, at last `simplest`."""
        mentioned = self._directory.resolve(message.mentions)
        text, ids, now = fallback(message, mentioned), secrets.token_hex(8), self.clock()
        refused_at = self._tables_refused_at
        native = message.table is not None and (refused_at is None or now - refused_at > NATIVE_TABLE_RETRY)
        layouts = [blocks(message, mentioned, native_table=False, ids=ids)]
        if native:
            layouts.insert(0, blocks(message, mentioned, ids=ids))
        for number, layout in enumerate(layouts):
            try:
                answer = call(text, layout)
            except Refusal as error:
                if not error.blocks_refused:
                    raise
                log.warning("Slack refused the layout of a message, sending a simpler one: %s", error)
            else:
                if number:
                    self._tables_refused_at = now
                return answer
        return call(text, simplest)

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
        lacking = [one for one in self.permissions if header and one.name not in granted]
        missing = [f"{one.name} for {one.use}" for one in lacking if one.required]
        optional = [one.name for one in lacking if not one.required]
        line += f"; missing scopes: {', '.join(missing)}" if missing else ""
        return line + (f"; optional scopes not granted: {', '.join(optional)}" if optional else "")

    def check_addresses(self, addresses: Sequence[str]) -> Iterator[AddressCheck]:
        """Look up the channels and users, with at most 40 calls of at most 10 seconds each."""
        from notifiers.slack.addresses import CHECK_TIMEOUTS, AddressChecker  # noqa: PLC0415 - slack_sdk is slow to import

        self.require_configured()
        return AddressChecker(self._make_client(CHECK_TIMEOUTS)).check(addresses)

    @cached_property
    def _client(self) -> Client:
        return self._make_client()

    def _make_client(self, timeouts: Timeouts | None = None) -> Client:
        from notifiers.slack.client import KEEP_SECONDS, Client  # noqa: PLC0415 - slack_sdk is slow to import
        from notifiers.transport import Transport  # noqa: PLC0415 - as above

        token = self.config.token.strip()
        if not TOKEN.fullmatch(token) or token.startswith("http"):
            words = "SLACK_TOKEN is not a bot token, which starts with xoxb- and contains no spaces"
            raise NotifierError(words, permanent=True, sent=False)
        transport = Transport("Slack", secrets=[token], ca_bundle=self.ca_bundle, keep_seconds=KEEP_SECONDS)
        return Client(
            token=token, api_url=self.config.api_url, transport=transport, clock=self.clock, timeouts=timeouts
        )

    @cached_property
    def _directory(self) -> Directory:
        from notifiers.slack.directory import Directory  # noqa: PLC0415 - slack_sdk is slow to import

        return Directory(self._client, self.clock)

    @cached_property
    def _bot_id(self) -> object:
        return self._client.auth_test().get("bot_id")
