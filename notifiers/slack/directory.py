"""Look up people, user groups and channels in Slack, and remember a bounded number of them for a while.

https://docs.slack.dev/reference/methods/usergroups.list, users.list, users.lookupByEmail and conversations.list
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from notifiers.forks import Lock
from notifiers.message import EMAIL, Mention
from notifiers.notifier import Person
from notifiers.slack.client import Client
from notifiers.slack.errors import Refusal
from notifiers.slack.render import Mentioned
from notifiers.text import one_line

log = logging.getLogger(__name__)

# Looked up answers that are remembered, and for how long; that there is none, for a shorter time.
REMEMBERED = 1000
LIFETIME, LIFETIME_OF_NONE = timedelta(hours=12), timedelta(minutes=10)
# Pages of a list, and entries of a page, which must be under 1000; the lists are of tier 2, twenty calls a minute.
MAX_PAGES, PAGE_SIZE = 10, 999
# More mentions are shown as text.
MAX_MENTIONS = 20
SLACK_ID = re.compile(r"[A-Z0-9]{1,64}")


class Memory:
    """The last answers to questions, each with the time until it is asked again. Thread-safe.

    A question is asked once, also if several threads need its answer at the same time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._answers: OrderedDict[str, tuple[Any, datetime]] = OrderedDict()
        self._lock = Lock()
        # The questions that are being asked, each with the number of threads that need the answer.
        self._asking: dict[str, tuple[Lock, int]] = {}

    def __contains__(self, question: str) -> bool:
        with self._lock:
            return question in self._answers and self._answers[question][1] > self._clock()

    def get(self, question: str, ask: Callable[[], Any]) -> Any:
        """Return the remembered answer, or that of `ask`, which is not remembered if it raises."""
        with self._alone(question):
            with self._lock:
                answer, until = self._answers.get(question, (None, None))
            if until is None or until <= self._clock():
                answer = ask()
                self.put(question, answer)
        return answer

    def put(self, question: str, answer: Any) -> None:
        """Remember an answer; the oldest is forgotten if there are too many."""
        lifetime = LIFETIME if answer else LIFETIME_OF_NONE
        with self._lock:
            self._answers[question] = answer, self._clock() + lifetime
            self._answers.move_to_end(question)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)

    @contextmanager
    def _alone(self, question: str) -> Iterator[None]:
        """Let one thread after the other through, for each question."""
        with self._lock:
            lock, waiting = self._asking.get(question, (Lock(), 0))
            self._asking[question] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._asking.pop(question)
                if waiting > 1:
                    self._asking[question] = lock, waiting - 1


class Directory:
    """Finds the ids behind names and e-mail addresses. Thread-safe.

    A failure that may pass is raised. A name that does not exist, or cannot be looked up without a scope, is None.
    """

    def __init__(self, client: Client, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._memory = Memory(clock)

    def user_id(self, email: str) -> str:
        """Return the id of the user with that e-mail address. Raises NotifierError."""
        return str(self._memory.get(f"e-mail {email}", lambda: self._client.user_id(email)))

    def person(self, user: str) -> Person | None:
        """Return the member with this id; None if Slack refuses to say."""

        def ask() -> Person | None:
            found = _mapping(self._client.users_info(user=user).get("user"))
            profile = _mapping(found.get("profile"))
            names = (profile.get("real_name"), found.get("real_name"), profile.get("display_name"), found.get("name"))
            name = one_line(next((one for one in names if isinstance(one, str) and one.strip()), user))[:100]
            email = profile.get("email")
            valid = isinstance(email, str) and EMAIL.fullmatch(email) and found.get("is_bot") is not True
            return Person(user, name, str(email) if valid else "", str(found.get("team_id") or ""))

        found: Person | None = self._optional(f"person {user}", ask)
        return found

    def knows(self, email: str) -> bool:
        """Return whether the user with that e-mail address is remembered, so that no call is needed."""
        return f"e-mail {email}" in self._memory

    def conversation_id(self, address: str) -> str | None:
        """Return the id of the channel, or of the direct conversation with a person; None for an unknown channel."""

        def ask() -> str | None:
            if address.startswith("#"):
                return self._channels().get(address[1:].lower())
            user = self.user_id(address) if "@" in address else address
            return _id(_mapping(self._client.conversations_open(users=user).get("channel")))

        if not address.startswith("#") and "@" not in address and address[0] not in "UW":
            return address
        found = self._memory.get(f"conversation {address}", ask)
        return str(found) if found else None

    def learn(self, address: str, channel: str) -> None:
        """Remember the id of the conversation with which Slack responded to a message to this address."""
        if address != channel:
            self._memory.put(f"conversation {address}", channel)

    def resolve(self, mentions: Iterable[Mention]) -> Mentioned:
        """Return the mentions as Slack's markup; those that are not found stay as they are."""
        tokens, unresolved = [], []
        for number, mention in enumerate(dict.fromkeys(mentions)):
            token = self._token(mention) if number < MAX_MENTIONS else None
            if token:
                tokens.append(token)
            else:
                unresolved.append(mention)
        return Mentioned(tuple(tokens), tuple(unresolved))

    def _token(self, mention: Mention) -> str | None:
        if mention.kind in ("here", "channel"):
            return f"<!{mention.kind}>"
        if mention.kind == "email":
            user = self._optional(f"mention {mention.name}", partial(self.user_id, mention.name))
            return f"<@{user}>" if user else None
        if mention.kind == "id":
            group = mention.name.startswith("S")
            valid = SLACK_ID.fullmatch(mention.name)
            return (f"<!subteam^{mention.name}>" if group else f"<@{mention.name}>") if valid else None
        name = mention.name.lower()
        if group_id := self._groups().get(name):
            return f"<!subteam^{group_id}>"
        member = self._members().get(name)
        return f"<@{member}>" if member else None

    def _groups(self) -> Mapping[str, str]:
        """Return the ids of the user groups by their handles."""

        def ask() -> dict[str, str]:
            listed = self._client.usergroups_list().get("usergroups")
            groups = map(_mapping, listed if isinstance(listed, list) else ())
            return {str(group.get("handle")).lower(): found for group in groups if (found := _id(group))}

        return self._optional("user groups", ask) or {}

    def _members(self) -> Mapping[str, str]:
        """Return the ids of the members by user name and display name, without the names of several members."""

        def ask() -> dict[str, str]:
            found: dict[str, set[str]] = {}
            for member in self._pages(self._client.users_list, "members"):
                profile = _mapping(member.get("profile"))
                member_id = None if member.get("deleted") is True or member.get("is_bot") is True else _id(member)
                for name in {str(member.get("name")), str(profile.get("display_name") or member.get("name"))}:
                    if member_id:
                        found.setdefault(name.lower(), set()).add(member_id)
            return {name: ids.pop() for name, ids in found.items() if len(ids) == 1}

        return self._optional("members", ask) or {}

    def _channels(self) -> Mapping[str, str]:
        """Return the ids of the channels by their names, of private ones only with the scope for them."""

        def ask(kind: str) -> dict[str, str]:
            listed = self._pages(self._client.conversations_list, "channels", types=kind, exclude_archived=True)
            return {str(channel.get("name")).lower(): found for channel in listed if (found := _id(channel))}

        private = self._optional("private channels", partial(ask, "private_channel")) or {}
        return private | (self._optional("public channels", partial(ask, "public_channel")) or {})

    def _optional(self, question: str, ask: Callable[[], Any]) -> Any:
        """Return the answer; None, with a line in the log, if Slack refuses it for good."""

        def ask_or_none() -> Any:
            try:
                return ask()
            except Refusal as error:
                if not error.permanent:
                    raise
                log.warning("Slack refused to look up %s: %s", question, error)
                return None

        return self._memory.get(question, ask_or_none)

    def _pages(self, method: Callable[..., Any], field: str, **arguments: object) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a list, at most MAX_PAGES pages of it."""
        cursor = ""
        for _ in range(MAX_PAGES):
            page = method(limit=PAGE_SIZE, cursor=cursor or None, **arguments)
            listed = page.get(field)
            yield from map(_mapping, listed if isinstance(listed, list) else ())
            cursor = str(_mapping(page.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                return
        log.warning("Slack lists more than %d %s; names of further ones are not found", MAX_PAGES * PAGE_SIZE, field)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _id(value: Mapping[str, Any]) -> str | None:
    found = value.get("id")
    return found if isinstance(found, str) and SLACK_ID.fullmatch(found) else None
