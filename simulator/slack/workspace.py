"""The state of a Slack workspace: members, channels, messages and files, and the rules for posting."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from simulator.config import Config
from simulator.slack.rate_limits import RateLimits
from simulator.slack.sockets import Sockets

BOT_USER, BOT, TEAM = "U0BOT00000", "B0BOT00000", "T0ACME0000"
BOT_NAME = "Tableau Webhooks"
# Name, private, archived, whether the bot is a member.
CHANNELS = (
    ("general", False, False, False),
    ("bi", False, False, True),
    ("finance-data", False, False, True),
    ("bi-stewards", False, False, True),
    ("board", True, False, False),
    ("old-news", False, True, True),
)
CHANNEL_ID = re.compile("[CG][A-Z0-9]{3,}")


class SlackError(Exception):
    """An error response: Slack's name for it, its messages, the scope that is needed, the seconds to wait."""

    def __init__(self, name: str, *messages: str, needed: str = "", retry_after: int = 0) -> None:
        super().__init__(name)
        self.name, self.messages, self.needed, self.retry_after = name, messages, needed, retry_after


@dataclass
class Member:
    """A member of the workspace."""

    id: str
    name: str
    real_name: str
    email: str


@dataclass
class Channel:
    """A channel, or a direct conversation of the bot with one `user`."""

    id: str
    name: str
    private: bool = False
    archived: bool = False
    member: bool = True
    user: str = ""

    @property
    def kind(self) -> str:
        """Return Slack's name for the kind of conversation."""
        if self.user:
            return "im"
        return "private_channel" if self.private else "public_channel"

    @property
    def scope(self) -> str:
        """Return the first part of the scopes for this kind of conversation."""
        return {"im": "im", "private_channel": "groups", "public_channel": "channels"}[self.kind]


@dataclass
class File:
    """A file; `size` was announced, `data` is None until it was uploaded."""

    id: str
    name: str
    size: int
    ticket: str
    created: datetime
    title: str = ""
    alt: str = ""
    data: bytes | None = None
    shared: bool = False


@dataclass(frozen=True)
class Content:
    """The parts of a message that an update can change."""

    text: str
    blocks: list[dict[str, object]] = field(default_factory=list)
    attachments: list[dict[str, object]] = field(default_factory=list)
    metadata: dict[str, object] = field(default_factory=dict)


@dataclass
class Message:
    """One message; the names of the fields are Slack's."""

    ts: str
    channel: str
    at: datetime
    # Every version with its time, the current one last.
    versions: list[tuple[datetime, Content]]
    user: str = BOT_USER
    thread_ts: str = ""
    # Whether a reply is also shown in the channel.
    broadcast: bool = False
    # The only user who sees the message.
    ephemeral_for: str = ""
    files: list[str] = field(default_factory=list)
    # Name of an emoji -> users.
    reactions: dict[str, list[str]] = field(default_factory=dict)
    # The failure of the last press of a button, which the page shows under the message.
    press_error: str = ""

    @property
    def content(self) -> Content:
        """Return the current version."""
        return self.versions[-1][1]

    @property
    def text(self) -> str:
        """Return the current text."""
        return self.content.text

    @property
    def blocks(self) -> list[dict[str, object]]:
        """Return the current blocks."""
        return self.content.blocks

    @property
    def attachments(self) -> list[dict[str, object]]:
        """Return the current attachments."""
        return self.content.attachments

    @property
    def metadata(self) -> dict[str, object]:
        """Return the current metadata."""
        return self.content.metadata

    @property
    def edited(self) -> bool:
        """Return whether the message was edited."""
        return len(self.versions) > 1

    @property
    def is_reply(self) -> bool:
        """Return whether the message is in a thread."""
        return bool(self.thread_ts)


@dataclass
class ResponseUrl:
    """An address that accepts a few responses to a press of a button."""

    message: Message
    user: str
    created: datetime
    uses: int = 0


class Workspace:
    """The whole workspace. Hold the world's lock to change it."""

    def __init__(self, config: Config, people: Sequence[tuple[str, str]], now: Callable[[], datetime]) -> None:
        self.token = config.slack_token
        self.scopes = config.slack_scopes.split(",")
        self._now = now
        self._ids = itertools.count(1)
        self._last = 0
        self.members = [
            Member(f"U{number:09d}", email.partition("@")[0], name, email)
            for number, (name, email) in enumerate(people, 1)
        ]
        self.channels: dict[str, Channel] = {}
        for name, private, archived, member in CHANNELS:
            self._add(name, private=private, archived=archived, member=member)
        self._add_configured(config.slack_channel)
        self.messages: list[Message] = []
        self._by_ts: dict[tuple[str, str], Message] = {}
        # The replies by the channel and time stamp of their root: long threads and channels stay fast.
        self._threads: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
        self.rate_limits = RateLimits()
        self.sockets = Sockets()
        self.response_urls: dict[str, ResponseUrl] = {}
        self.files: dict[str, File] = {}

    def _add(self, name: str, *, private: bool = False, archived: bool = False, member: bool = True) -> Channel:
        luid = f"C{len(self.channels) + 1:09d}"
        self.channels[luid] = Channel(luid, name, private, archived, member)
        return self.channels[luid]

    def _add_configured(self, channel: str) -> None:
        """Add the channel that the server is configured for, by its name or its id."""
        name = channel.removeprefix("#")
        if not name or any(name in (known.id, known.name) for known in self.channels.values()):
            return
        if CHANNEL_ID.fullmatch(name):
            self.channels[name] = Channel(name, "tableau")
        elif not channel.startswith(("D", "U")):
            self._add(name)

    def require_scope(self, scope: str) -> None:
        """Raise SlackError unless the app was granted the scope."""
        if scope not in self.scopes:
            raise SlackError("missing_scope", needed=scope)

    def find(self, wanted: str) -> Channel:
        """Return the channel with this id, `#name` or user id. Raises SlackError."""
        name = wanted.removeprefix("#")
        named = (channel for channel in self.channels.values() if channel.name == name and not channel.user)
        channel = self.channels.get(wanted) or next(named, None)
        if channel is None and any(member.id == wanted for member in self.members):
            return self.direct(wanted)
        if channel is None or (channel.private and not channel.member):
            raise SlackError("channel_not_found")
        return channel

    def direct(self, user: str) -> Channel:
        """Return the direct conversation with a user. Raises SlackError."""
        member = next((member for member in self.members if member.id == user), None)
        if member is None:
            raise SlackError("user_not_found")
        luid = f"D{user[1:]}"
        return self.channels.setdefault(luid, Channel(luid, member.name, user=user))

    def message(self, channel: str, ts: str) -> Message | None:
        """Return the message of a channel with this time stamp."""
        return self._by_ts.get((channel, ts))

    def replies(self, root: Message) -> list[Message]:
        """Return the replies to a message, oldest first."""
        return list(self._threads.get((root.channel, root.ts), ()))

    def post(self, channel: Channel, message: Message) -> Message:
        """Post a message to a channel. Raises SlackError."""
        if channel.archived:
            raise SlackError("is_archived")
        if message.thread_ts and self.message(channel.id, message.thread_ts) is None:
            raise SlackError("thread_not_found")
        self.messages.append(message)
        self._by_ts[channel.id, message.ts] = message
        if message.is_reply:
            self._threads[channel.id, message.thread_ts].append(message)
        return message

    def delete(self, message: Message) -> None:
        """Delete a message; replies to it stay."""
        self.messages.remove(message)
        del self._by_ts[message.channel, message.ts]
        if message.is_reply:
            self._threads[message.channel, message.thread_ts].remove(message)

    def new_message(self, channel: str, content: Content) -> Message:
        """Return a message with a unique time stamp."""
        now = self._now()
        return Message(self.timestamp(now), channel, now, [(now, content)])

    def edit(self, message: Message, content: Content) -> None:
        """Add a version to a message."""
        message.versions.append((self._now(), content))

    def timestamp(self, at: datetime) -> str:
        """Return a unique time stamp in Slack's form."""
        self._last = micro = max(int(at.timestamp() * 1_000_000), self._last + 1)
        return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"

    def new_response_url(self, message: Message, user: str) -> str:
        """Return the ticket of a new address that accepts responses to a press."""
        ticket = f"response-{next(self._ids)}"
        self.response_urls[ticket] = ResponseUrl(message, user, self._now())
        return ticket

    def expect_file(self, name: str, size: int, alt: str) -> File:
        """Return a new file that is going to be uploaded."""
        number = next(self._ids)
        made = File(f"F{number:09d}", name, size, f"upload-{number}", self._now(), alt=alt)
        self.files[made.id] = made
        return made

    def receive_file(self, ticket: str, data: bytes) -> bool:
        """Store the bytes of an announced file; return False if it was not announced, or with another size."""
        waiting = next((file for file in self.files.values() if file.ticket == ticket and file.data is None), None)
        if waiting is None or len(data) != waiting.size:
            return False
        waiting.data = data
        return True
