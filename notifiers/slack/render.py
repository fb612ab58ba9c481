"""Render a message in Slack's Block Kit, within its limits and without any markup. Pure.

Every text is of the type `plain_text`, in which Slack reads neither formatting, mentions nor emoji codes.
https://docs.slack.dev/reference/block-kit/composition-objects/text-object
"""

from __future__ import annotations

from typing import Any

from notifiers.message import Message, facts_of, link_of, plain_text, title_of
from notifiers.text import clean, one_line, shorten

Block = dict[str, Any]

HEADER, TEXT, FIELDS, FIELD, BUTTON, URL = 150, 3000, 10, 2000, 75, 3000
# All blocks of a message together may hold about 13,200 characters; the facts share the rest.
FACTS, FOOTER = 7000, 1000
FALLBACK = 4000
# Fewer characters of a value are hardly a word.
SHORTEST_VALUE = 20

SIGNS = {"info": "", "good": "✅ ", "warning": "⚠️ ", "bad": "🔴 "}
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ENTITY_TABLE = str.maketrans(ENTITIES)


def blocks(message: Message) -> list[Block]:
    """Return the blocks: header, text, facts, button, footer; empty ones are left out."""
    text, footer, link = clean(message.text), one_line(message.footer), link_of(message)
    found: list[Block] = [{"type": "header", "text": _text(SIGNS[message.severity] + title_of(message), HEADER)}]
    if text:
        found.append({"type": "section", "text": _text(text, TEXT)})
    found.extend(_facts(message))
    if link and len(link.url) <= URL:
        button = {"type": "button", "text": _text(link.label, BUTTON), "url": link.url}
        found.append({"type": "actions", "elements": [button]})
    if footer:
        found.append({"type": "context", "elements": [_text(footer, FOOTER)]})
    return found


def fallback(message: Message) -> str:
    """Return the message as text, for notifications and screen readers, which do not show blocks."""
    return escape(plain_text(message), FALLBACK)


def escape(text: str, limit: int) -> str:
    """Return the text with `&`, `<` and `>` as entities, cut to `limit` characters but never inside an entity.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return shorten(text, limit, width=_width).translate(ENTITY_TABLE)


def _width(character: str) -> int:
    # UTF-16 units: Slack's limits may count those.
    return len(ENTITIES.get(character, "")) or len(character.encode("utf-16-le")) // 2


def _facts(message: Message) -> list[Block]:
    """Return the facts in sections of ten; a last line counts those for which no room was left."""
    facts, room, fields = facts_of(message), FACTS, []
    for name, value in facts:
        text = f"{shorten(name, 100)}\n"
        space = min(FIELD, room) - sum(map(_width, text))
        if space < SHORTEST_VALUE:
            break
        text += shorten(value, space, width=_width)
        fields.append(_text(text, FIELD))
        room -= sum(map(_width, text))
    found: list[Block] = [
        {"type": "section", "fields": fields[start : start + FIELDS]} for start in range(0, len(fields), FIELDS)
    ]
    if len(fields) < len(facts):
        found.append({"type": "context", "elements": [_text(f"… and {len(facts) - len(fields)} more", FOOTER)]})
    return found


def _text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}
