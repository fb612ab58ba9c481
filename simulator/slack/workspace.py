"""The state of a Slack workspace: members, channels, messages and files, and the rules for posting."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from simulator.config import Config

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
SCOPES = (
    "chat:write", "chat:write.public", "channels:read", "groups:read", "files:write", "users:read", "users:read.email",
    "im:read", "im:write",
)  # fmt: skip
# The scope that shows conversations of a kind.
READ_SCOPES = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}
CHANNEL_ID = re.compile("[CG][A-Z0-9]{3,}")


class SlackError(Exception):
    """An error response: Slack's name for it, its messages and the scope that is needed."""

    def __init__(self, name: str, *messages: str, needed: str = "") -> None:
        super().__init__(name)
        self.name, self.messages, self.needed = name, messages, needed


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


@dataclass
class Message:
    """One message; the names of the fields are Slack's."""

    ts: str
    channel: str
    text: str
    at: datetime
    blocks: list[dict[str, object]] = field(default_factory=list)
    attachments: list[dict[str, object]] = field(default_factory=list)
    thread_ts: str = ""
    files: list[str] = field(default_factory=list)
    edited: bool = False
    user: str = BOT_USER


class Workspace:
    """The whole workspace. Hold the world's lock to change it."""

    def __init__(self, config: Config, people: Sequence[tuple[str, str]], now: Callable[[], datetime]) -> None:
        self.token = config.slack_token
        self.scopes = list(SCOPES)
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

    def post(self, channel: Channel, message: Message) -> Message:
        """Post a message to a channel. Raises SlackError."""
        if channel.archived:
            raise SlackError("is_archived")
        if not channel.member and "chat:write.public" not in self.scopes:
            raise SlackError("not_in_channel")
        if message.thread_ts and not any(m.ts == message.thread_ts and m.channel == channel.id for m in self.messages):
            raise SlackError("thread_not_found")
        self.messages.append(message)
        return message

    def new_message(self, channel: str, text: str) -> Message:
        """Return a message with a unique time stamp."""
        now = self._now()
        micro = max(int(now.timestamp() * 1_000_000), self._last + 1)
        self._last = micro
        return Message(f"{micro // 1_000_000}.{micro % 1_000_000:06d}", channel, text, now)

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
