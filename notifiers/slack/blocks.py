"""A message in Slack's Block Kit, within its limits, with nothing in it that Slack would obey. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from notifiers.message import Link, Message, facts_of, link_of, plain, title_of
from notifiers.text import clean, one_line, shorten

Block = dict[str, Any]

HEADER, TEXT, FIELDS, FIELD, BUTTON, URL = 150, 3000, 10, 2000, 75, 3000
# All blocks of a message together may hold about 13,200 characters, so the facts share what the rest leaves.
FACTS, FOOTER = 7000, 1000
FALLBACK = 4000

SIGNS = {"info": "", "good": "✅ ", "warning": "⚠️ ", "bad": "🔴 "}
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ENTITY_TABLE = str.maketrans(ENTITIES)


def blocks(message: Message) -> list[Block]:
    """The message as blocks: header, text, facts, button, footer; what is empty is left out."""
    text, footer, link = clean(message.text), one_line(message.footer), link_of(message)
    found: list[Block] = [{"type": "header", "text": _plain_text(SIGNS[message.severity] + title_of(message), HEADER)}]
    if text:
        found.append({"type": "section", "text": _mrkdwn(escaped(text, TEXT))})
    found.extend(_facts(message))
    if link and len(link.url) <= URL:
        found.append({"type": "actions", "elements": [_button(link)]})
    if footer:
        found.append({"type": "context", "elements": [_mrkdwn(escaped(footer, FOOTER))]})
    return found


def fallback(message: Message) -> str:
    """The message as Slack text, for notifications and screen readers, which do not show blocks."""
    return escaped(plain(message), FALLBACK)


def escaped(text: str, limit: int) -> str:
    """The text with `&`, `<` and `>` as entities, cut to `limit` characters with no entity cut in two.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return shorten(text, limit, width=_width).translate(ENTITY_TABLE)


def _width(character: str) -> int:
    return len(ENTITIES.get(character, "")) or _units(character)


def _units(text: str) -> int:
    # UTF-16 units: a limit may count those.
    return len(text.encode("utf-16-le")) // 2


def _facts(message: Message) -> Iterator[Block]:
    facts, room = facts_of(message), FACTS
    fields = []
    for name, value in facts:
        name_line = f"*{escaped(name, 100)}*\n"
        space = min(FIELD, room) - _units(name_line)
        if space < 20:  # hardly a word of the value could be read
            break
        text = name_line + escaped(value, space)
        fields.append(_mrkdwn(text))
        room -= _units(text)
    for start in range(0, len(fields), FIELDS):
        yield {"type": "section", "fields": fields[start : start + FIELDS]}
    if len(fields) < len(facts):
        yield {"type": "context", "elements": [_mrkdwn(f"… and {len(facts) - len(fields)} more")]}


def _button(link: Link) -> Block:
    return {"type": "button", "text": _plain_text(link.label, BUTTON), "url": link.url}


def _plain_text(text: str, limit: int) -> Block:
    # Without emoji codes: a workbook may be called ":fire:" and mean it.
    return {"type": "plain_text", "text": escaped(text, limit), "emoji": False}


def _mrkdwn(text: str) -> Block:
    # Verbatim: otherwise Slack makes mentions and links out of plain words.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
