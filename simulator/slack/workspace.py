"""A Slack workspace: its people, channels, messages and files, and the rules of who may post where."""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from simulator.config import Config

BOT_USER, BOT, TEAM = "U0BOT00000", "B0BOT00000", "T0ACME0000"
BOT_NAME = "Tableau Webhooks"
# name, private, archived, whether the bot is a member
CHANNELS = (
    ("general", False, False, False),
    ("bi", False, False, True),
    ("finance-data", False, False, True),
    ("bi-stewards", False, False, True),
    ("board", True, False, False),
    ("old-news", False, True, True),
)


ID = re.compile("[CG][A-Z0-9]{3,}")


class SlackError(Exception):
    """A error_response: the name Slack gives it, and what it adds."""

    def __init__(self, name: str, *messages: str, needed: str = "") -> None:
        super().__init__(name)
        self.name, self.messages, self.needed = name, messages, needed


@dataclass
class Member:
    """Somebody in the workspace."""

    id: str
    name: str
    real_name: str
    email: str


@dataclass
class Channel:
    """A channel, or a conversation between the bot and one person (`user` is set)."""

    id: str
    name: str
    private: bool = False
    archived: bool = False
    member: bool = True
    user: str = ""


@dataclass
class File:
    """A file on its way or shared: `size` as announced, `data` as arrived."""

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
    """One message; `fields` are Slack's own words for what it holds."""

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
    """Everything in one workspace. Whoever changes it holds the world's lock."""

    def __init__(self, config: Config, people: Sequence[tuple[str, str]], now: Callable[[], datetime]) -> None:
        self.token = config.slack_token
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
        self._wanted(config.slack_channel)
        self.messages: list[Message] = []
        self.files: dict[str, File] = {}

    def _add(self, name: str, *, private: bool = False, archived: bool = False, member: bool = True) -> Channel:
        luid = f"C{len(self.channels) + 1:09d}"
        self.channels[luid] = Channel(luid, name, private, archived, member)
        return self.channels[luid]

    def _wanted(self, channel: str) -> None:
        """Have the channel the server is configured for, by its name or its id."""
        name = channel.removeprefix("#")
        if not name or any(name in (known.id, known.name) for known in self.channels.values()):
            return
        if ID.fullmatch(name):
            self.channels[name] = Channel(name, "tableau")
        elif not channel.startswith(("D", "U")):
            self._add(name)

    def find(self, wanted: str) -> Channel:
        """The channel of this id, `#name` or user id. Raises channel_not_found."""
        if wanted in self.channels:
            return self._visible(self.channels[wanted])
        for channel in self.channels.values():
            if channel.name == wanted.removeprefix("#") and not channel.user:
                return self._visible(channel)
        if any(member.id == wanted for member in self.members):
            return self.direct(wanted)
        raise SlackError("channel_not_found")

    def _visible(self, channel: Channel) -> Channel:
        if channel.private and not channel.member:
            raise SlackError("channel_not_found")
        return channel

    def direct(self, user: str) -> Channel:
        """The conversation with one person."""
        if not any(member.id == user for member in self.members):
            raise SlackError("user_not_found")
        luid = f"D{user[1:]}"
        return self.channels.setdefault(
            luid, Channel(luid, next(m.name for m in self.members if m.id == user), user=user)
        )

    def post(self, channel: Channel, message: Message) -> Message:
        """Put a message into a channel."""
        if channel.archived:
            raise SlackError("is_archived")
        if message.thread_ts and not any(m.ts == message.thread_ts and m.channel == channel.id for m in self.messages):
            raise SlackError("thread_not_found")
        self.messages.append(message)
        return message

    def new(self, channel: str, text: str) -> Message:
        """An empty message with the time stamp that will be its name; no two are alike."""
        now = self._now()
        micro = max(int(now.timestamp() * 1_000_000), self._last + 1)
        self._last = micro
        return Message(f"{micro // 1_000_000}.{micro % 1_000_000:06d}", channel, text, now)

    def expect(self, name: str, size: int, alt: str) -> File:
        """A file that somebody announced."""
        number = next(self._ids)
        made = File(f"F{number:09d}", name, size, f"upload-{number}", self._now(), alt=alt)
        self.files[made.id] = made
        return made

    def arrived(self, ticket: str, data: bytes) -> bool:
        """Take in the bytes of an announced file; whether it was announced, and they are as many as announced."""
        waiting = next((file for file in self.files.values() if file.ticket == ticket and file.data is None), None)
        if waiting is None or len(data) != waiting.size:
            return False
        waiting.data = data
        return True
