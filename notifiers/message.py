"""Messages to people, in a form that each notifier renders in its own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from notifiers.table import Table, left_out, plain_lines
from notifiers.text import clean, one_line
from notifiers.values import Cell, Link, Timestamp, usable_link

Severity = Literal["info", "good", "warning", "bad"]
MentionKind = Literal["name", "id", "email", "here", "channel"]
# Slack's limits, which apply everywhere: a shortened value would not be recognized when the button is pressed.
MAX_ACTION_ID, MAX_BUTTON_VALUE = 255, 2000
# Slack's limits for a menu: entries, and characters of an entry's action_id and value together.
MAX_MENU, MAX_MENU_VALUE = 5, 149
# Rows of a table that is shown as text; the others are counted.
MAX_TEXT_ROWS = 20
MENTION_FORMS = "@here, @channel, the @name of a user group or member, an id such as U0123, or an e-mail address"
MEMBER_ID = re.compile(r"[UWS][A-Z0-9]{5,20}")
MENTION_NAME = re.compile(r"@[^\s@,:<>|!&*`~]{1,80}")
EMAIL = re.compile(r"[^\s@,:<>|]{1,64}@[^\s@,:<>|.]{1,63}(?:\.[^\s@,:<>|.]{1,63}){1,8}")


@dataclass(frozen=True)
class Button:
    """A button whose press the service reports to the server, with `action_id` and `value`."""

    text: str
    action_id: str
    value: str = ""
    style: Literal["", "primary", "danger"] = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.action_id) <= MAX_ACTION_ID or len(self.value) > MAX_BUTTON_VALUE:
            words = f"its action_id has 1 to {MAX_ACTION_ID} characters, its value at most {MAX_BUTTON_VALUE}"
            raise ValueError(f"Invalid button {self.text!r}: {words}")


@dataclass(frozen=True)
class Mention:
    """A person or group whom the service alerts. Its kind is given, so that no name from outside becomes `@here`."""

    kind: MentionKind
    name: str = ""

    def __str__(self) -> str:
        """Return the mention as text, which alerts no one."""
        if self.kind in ("here", "channel"):
            return f"@{self.kind}"
        return f"@{self.name}" if self.kind == "name" else self.name


@dataclass(frozen=True)
class IncidentRef:
    """The incident that a message is about, for services that keep messages about one incident together.

    `key` and `title` are the same in all messages about it; `title` is that of the first one.
    """

    key: str
    state: Literal["open", "acknowledged", "closed"]
    title: str


@dataclass(frozen=True)
class Picture:
    """A picture file: its bytes, a name with the right extension, and a description in words."""

    data: bytes = field(repr=False)
    filename: str
    alt: str = ""


@dataclass(frozen=True)
class Message:
    """The content of a notification, all of it plain text: markup of any medium in it is shown, not interpreted.

    `status` is a word in front of the title, such as Failing, so that the state does not depend on a colour. `menu` has
    the buttons and links that are shown on demand. Notifiers leave out buttons and the menu if they do not have the
    capability, and show mentions as text. `actions` are links to pages of the sender on which the reader can do what a
    button does, such as acknowledge; `hint` says how to do it by a reply, where replies come back to the sender. `id`
    is our own and the same in each attempt to send the message; empty if it has none.
    """

    title: str
    text: str = ""
    facts: tuple[tuple[str, str | Timestamp], ...] = ()
    link: Link | None = None
    severity: Severity = "info"
    picture: Picture | None = None
    footer: str = ""
    status: str = ""
    table: Table | None = None
    buttons: tuple[Button, ...] = ()
    menu: tuple[Button | Link, ...] = ()
    mentions: tuple[Mention, ...] = ()
    actions: tuple[Link, ...] = ()
    hint: str = ""
    incident: IncidentRef | None = None
    # Two messages with the same content are equal.
    id: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        in_menu = [entry for entry in self.menu if isinstance(entry, Button)]
        if len(self.menu) > MAX_MENU or any(len(one.action_id + one.value) > MAX_MENU_VALUE for one in in_menu):
            words = f"at most {MAX_MENU} entries, each with at most {MAX_MENU_VALUE} characters of action_id and value"
            raise ValueError(f"Invalid menu: {words}")
        ids = [button.action_id for button in (*self.buttons, *in_menu)]
        if len(set(ids)) < len(ids):
            raise ValueError(f"Two buttons of a message have the same action_id: {', '.join(ids)}")


@dataclass(frozen=True)
class Receipt:
    """The service's name for the place to which a message went, and its id for the message there."""

    channel: str
    id: str

    def as_dict(self) -> dict[str, str]:
        """Return the receipt as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, str]) -> Receipt:
        """Return the receipt that `as_dict` was called on."""
        return cls(channel=value["channel"], id=value["id"])


@dataclass(frozen=True)
class Posted:
    """A message that can be kept up to date: the kind of its notifier, and the service's names for place and message.

    In Slack, `channel` is the id that Slack responded with (a direct message has its own), and `id` the message's time
    stamp. `client_id` is our id, which Slack keeps with the message. `permalink` is empty if it is not known.
    """

    kind: str
    channel: str
    id: str
    client_id: str = ""
    permalink: str = ""

    @property
    def receipt(self) -> Receipt:
        """The receipt that sending the message would have returned."""
        return Receipt(self.channel, self.id)

    def as_dict(self) -> dict[str, str]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, str]) -> Posted:
        """Return what `as_dict` was called on."""
        return cls(value["kind"], value["channel"], value["id"], value.get("client_id", ""), value.get("permalink", ""))


@dataclass(frozen=True)
class Unknown:
    """It cannot be looked up whether a message was posted, for this reason."""

    reason: str


def parse_mention(text: str) -> Mention:
    """Return the mention that a rule's author wrote. Raises ValueError with the forms that are valid."""
    word = text.strip()
    if word.removeprefix("@") in ("here", "channel"):
        return Mention("here" if word.endswith("here") else "channel")
    if MEMBER_ID.fullmatch(word):
        return Mention("id", word)
    if EMAIL.fullmatch(word):
        return Mention("email", word)
    if MENTION_NAME.fullmatch(word):
        return Mention("name", word[1:])
    raise ValueError(f"{text!r} is not a mention. Write {MENTION_FORMS}")


def map_texts(message: Message, change: Callable[[str], str]) -> Message:
    """Return the message with every text that is shown replaced by `change(text)`."""

    def changed_link(link: Link | None) -> Link | None:
        return Link(change(link.url), change(link.label)) if link else None

    def changed_cell(cell: Cell) -> Cell:
        if isinstance(cell, Link):
            return Link(change(cell.url), change(cell.label))
        return change(cell) if isinstance(cell, str) else cell

    table = message.table
    if table is not None:
        rows = tuple(tuple(map(changed_cell, row)) for row in table.rows)
        table = replace(table, columns=tuple(map(change, table.columns)), rows=rows, link=changed_link(table.link))
    return replace(
        message,
        title=change(message.title),
        text=change(message.text),
        facts=tuple(
            (change(name), change(value) if isinstance(value, str) else value) for name, value in message.facts
        ),
        link=changed_link(message.link),
        footer=change(message.footer),
        hint=change(message.hint),
        status=change(message.status),
        table=table,
        buttons=tuple(replace(button, text=change(button.text)) for button in message.buttons),
        menu=tuple(
            replace(entry, text=change(entry.text))
            if isinstance(entry, Button)
            else Link(change(entry.url), change(entry.label))
            for entry in message.menu
        ),
        incident=replace(message.incident, title=change(message.incident.title)) if message.incident else None,
    )


def title_of(message: Message) -> str:
    """Return the status and the title on one line; never empty."""
    return ": ".join(filter(None, [one_line(message.status), one_line(message.title) or "(no title)"]))


def facts_of(message: Message) -> list[tuple[str, str]]:
    """Return the facts that have a name, each name and value on one line, with a dash for an empty value."""
    facts = ((one_line(name), one_line(str(value))) for name, value in message.facts)
    return [(name, value or "-") for name, value in facts if name]


def link_of(message: Message) -> Link | None:
    """Return the link with its label on one line and its URL in ASCII; None unless it is a web address."""
    return usable_link(message.link)


def actions_of(message: Message) -> list[Link]:
    """Return the links on which the reader can act, as far as they are web addresses."""
    return [link for action in message.actions if (link := usable_link(action))]


def mentions_of(message: Message) -> str:
    """Return the mentions as text on one line; empty if there are none."""
    return one_line(" ".join(map(str, message.mentions)))


def plain_text(message: Message) -> str:
    """Return the whole message as plain text, one fact a line, with at most MAX_TEXT_ROWS rows of a table."""
    lines = [
        title_of(message),
        mentions_of(message),
        clean(message.text),
        *(f"{name}: {value}" for name, value in facts_of(message)),
        *table_lines(message),
        *(f"{link.label}: {link.url}" for link in (link_of(message), link_to_rows(message)) if link),
        one_line(message.footer),
    ]
    return "\n".join(line for line in lines if line)


def table_lines(message: Message) -> list[str]:
    """Return the table as lines of text, at most MAX_TEXT_ROWS rows of it; empty without a table."""
    return plain_lines(replace(message.table, link=None), MAX_TEXT_ROWS) if message.table else []


def link_to_rows(message: Message) -> Link | None:
    """Return the link to all rows of a table of which `table_lines` leaves some out."""
    table = message.table
    return usable_link(table.link) if table and left_out(table, MAX_TEXT_ROWS) else None
