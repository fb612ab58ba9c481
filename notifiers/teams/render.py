"""Render a message as an Adaptive Card for Teams, within its limit and without any markup from outside. Pure.

Text from outside is in TextRuns only, in which Teams reads no Markdown.
https://adaptivecards.io/explorer/TextRun.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from notifiers.message import Message, actions_of, facts_of, link_of, mentions_of, title_of
from notifiers.table import Table, left_out, text_rows
from notifiers.text import clean, one_line, shorten
from notifiers.values import Link, usable_link

Element = dict[str, Any]

# Bytes of a message, and of those that are left for the frame, the note and the links.
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
MAX_BYTES, RESERVED = 28 * 1024, 2 * 1024
# Bytes of a title, a text, a name, a value, a cell and an address.
TITLE, TEXT, NAME, VALUE, CELL, URL = 600, 12_000, 300, 3_000, 240, 1500
LINES, ROWS, COLUMNS, ACTIONS = 60, 30, 8, 6
COLOURS = {"info": "default", "good": "good", "warning": "warning", "bad": "attention"}
SIGNS = {"info": "", "good": "✅ ", "warning": "⚠️ ", "bad": "🔴 "}
NOTE = "Shortened: Teams accepts 28 KB."
# Teams replaces {{DATE(…)}} and {{TIME(…)}} in texts; an invisible character between the braces prevents that.
BRACE, SEPARATED = re.compile(r"\{(?=\{)"), "{\u2060"


def render(message: Message) -> bytes:
    """Return the body of the request: the card with as much of the message as fits, and a note if that is not all."""
    actions = _actions(message)
    title = _runs(SIGNS[message.severity] + title_of(message), TITLE, weight="bolder", size="large")
    title["inlines"][0]["color"] = COLOURS[message.severity]
    body, room = [title], MAX_BYTES - RESERVED - len(_encode([title, actions]))
    complete = True
    for element in _elements(message):
        room -= len(_encode(element)) + 1
        if room < 0:
            complete = False
            break
        body.append(element)
    if message.table:
        complete = _add_rows(body, message.table, room) and complete
    if not complete:
        body.append(_runs(NOTE, TITLE, isSubtle=True))
    if footer := one_line(message.footer):
        body.append(_runs(footer, NAME, isSubtle=True, size="small"))
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if actions:
        card["actions"] = actions
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return _encode({"type": "message", "attachments": [attachment]})


def _elements(message: Message) -> Iterable[Element]:
    """Yield mentions, text and facts, in the order of their importance."""
    if mentions := mentions_of(message):
        yield _runs(mentions, VALUE, weight="bolder")
    lines = shorten(clean(message.text), TEXT, width=_bytes).split("\n")
    for line in filter(None, lines[:LINES]):
        yield _runs(line, TEXT) | {"spacing": "small"}
    if len(clean(message.text).encode()) > TEXT or len(lines) > LINES:
        yield _runs(NOTE, TITLE, isSubtle=True)
    for name, value in facts_of(message):
        element = _runs(f"{shorten(name, NAME, width=_bytes)}: ", NAME, weight="bolder")
        element["inlines"] += _runs(value, VALUE)["inlines"]
        yield element | {"spacing": "small"}


def _add_rows(body: list[Element], table: Table, room: int) -> bool:
    """Add the table with as many rows as fit into `room` bytes, and return whether the card can show the rest."""
    rows, shown = text_rows(table), []
    for row in rows[: ROWS + 1]:
        cells = [{"type": "TableCell", "items": [_runs(cell, CELL)]} for cell in row[:COLUMNS]]
        made = {"type": "TableRow", "cells": cells}
        room -= len(_encode(made)) + 1
        if room < 0:
            break
        shown.append(made)
    if len(shown) > 1:
        columns = [{"width": 1} for _ in shown[0]["cells"]]
        body.append({"type": "Table", "columns": columns, "rows": shown, "firstRowAsHeader": True})
    words = left_out(Table(table.columns, table.rows, table.total), max(0, len(shown) - 1))
    if words:
        body.append(_runs(words, NAME, isSubtle=True))
    return len(shown) > min(ROWS, len(rows) - 1)


def _actions(message: Message) -> list[Element]:
    links = [*actions_of(message), link_of(message), usable_link(message.table.link) if message.table else None]
    usable = [link for link in links if isinstance(link, Link) and len(link.url) <= URL]
    return [
        {"type": "Action.OpenUrl", "title": shorten(link.label, NAME, width=_bytes), "url": link.url}
        for link in usable[:ACTIONS]
    ]


def _runs(text: str, limit: int, **style: Any) -> Element:
    """Return a block of text that is shown as it is, cut to `limit` bytes."""
    shown = BRACE.sub(SEPARATED, shorten(text, limit, width=_bytes))
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": shown, **style}]}


def _bytes(character: str) -> int:
    return 2 if character in '"\\\n' else len(character.encode())


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
