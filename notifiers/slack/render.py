"""Render a message in Slack's Block Kit, within its limits and without any markup from outside. Pure.

Text from outside is of the type `plain_text`, in which Slack reads neither formatting, mentions nor emoji codes, or a
raw cell of a table. Only times, mentions and the link below a table are `mrkdwn`, made of numbers, Slack's own ids, and
texts without any character of its markup. There is no `rich_text` outside of cells: Slack refuses an edit that removes
one (block_mismatch).
https://docs.slack.dev/reference/block-kit/composition-objects/text-object
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from notifiers.message import MAX_TEXT_ROWS, Button, Mention, Message, actions_of, link_of, plain_text, title_of
from notifiers.table import Table, cell_text, left_out, plain_lines
from notifiers.text import clean, one_line, shorten
from notifiers.values import Cell, Link, Timestamp, usable_link

Block = dict[str, Any]

HEADER, TEXT, FIELDS, FIELD, BUTTON, URL = 150, 3000, 10, 2000, 75, 3000
# All blocks of a message together may hold about 13,200 characters; the facts and the table share the rest.
ALL, FACTS, FACTS_WITH_TABLE, FOOTER = 13000, 7000, 3500, 1000
FALLBACK = 4000
# Fewer characters of a value are hardly a word.
SHORTEST_VALUE = 20
ELEMENTS = 25
# The action id of a message's menu, and the value of its entries that only open an address.
MENU, LINK = "menu", "link"
# Rows (beside the header), columns, characters of a cell, of all cells, and rows that are shown at a time.
# https://docs.slack.dev/reference/block-kit/blocks/data-table-block
ROWS, COLUMNS, CELL, TABLE, PAGE = 100, 20, 200, 9000, 10
# The line that counts further rows, and the longest address in it.
LEFT_OUT, LEFT_OUT_URL = 1000, 800

SIGNS = {"info": "", "good": "✅ ", "warning": "⚠️ ", "bad": "🔴 "}
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ENTITY_TABLE = str.maketrans(ENTITIES)
# Every character with a meaning in Slack's markup, beside those of ENTITIES.
MARKUP = re.compile(r"[*_~`:|^@#\\]")
# https://docs.slack.dev/messaging/formatting-message-text#date-formatting
DATE_FORMAT = "{date_short_pretty} {time}"


@dataclass(frozen=True)
class Mentioned:
    """The mentions of a message: as Slack's markup, and those that could not be resolved and are shown as text."""

    tokens: tuple[str, ...] = ()
    unresolved: tuple[Mention, ...] = ()


def blocks(
    message: Message, mentioned: Mentioned | None = None, *, native_table: bool = True, ids: str = ""
) -> list[Block]:
    """Return the blocks: header, mentions, text, facts, table, buttons, footer; empty ones are left out.

    Without `native_table` a table is lines of text. `ids` is the beginning of the ids of the blocks, which must be new
    in each version of a message; without it Slack makes the ids.
    """
    mentioned = mentioned or Mentioned(unresolved=message.mentions)
    text, footer = clean(message.text), one_line(message.footer)
    found: list[Block] = [{"type": "header", "text": _text(SIGNS[message.severity] + title_of(message), HEADER)}]
    if mentioned.tokens:
        found.append({"type": "section", "text": _markup(" ".join(mentioned.tokens))})
    if mentioned.unresolved:
        names = f"Not found in Slack: {', '.join(map(str, mentioned.unresolved))}"
        found.append({"type": "context", "elements": [_text(one_line(names), FOOTER)]})
    if text:
        found.append({"type": "section", "text": _text(text, TEXT)})
    found.extend(_facts(message))
    below = _actions(message)
    if footer:
        below.append({"type": "context", "elements": [_text(footer, FOOTER)]})
    if message.table:
        room = min(TABLE, ALL - LEFT_OUT - count_characters([*found, *below]))
        make = _native_table if native_table else _text_table
        found.extend(make(message.table, shorten(title_of(message), HEADER), room))
    found.extend(below)
    if ids:
        found = [{**block, "block_id": f"{ids}-{number}"} for number, block in enumerate(found)]
    return found


def plain_blocks(message: Message) -> list[Block]:
    """Return the message as one block of text, the simplest layout there is."""
    return [{"type": "section", "text": _text(plain_text(message), TEXT)}]


def fallback(message: Message, mentioned: Mentioned | None = None) -> str:
    """Return the message as text, for notifications and screen readers, which do not show blocks."""
    mentioned = mentioned or Mentioned(unresolved=message.mentions)
    tokens = "".join(f"{token} " for token in mentioned.tokens)
    text = plain_text(replace(message, mentions=mentioned.unresolved))
    return tokens + escape(text, FALLBACK - len(tokens))


def escape(text: str, limit: int) -> str:
    """Return the text with `&`, `<` and `>` as entities, cut to `limit` characters but never inside an entity.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return _cut(text, limit).translate(ENTITY_TABLE)


def count_characters(value: object) -> int:
    """Return the number of characters in all texts of blocks."""
    if isinstance(value, Mapping):
        text = value.get("text")
        own = _length(text) if isinstance(text, str) else 0
        return own + sum(count_characters(entry) for entry in value.values())
    return sum(map(count_characters, value)) if isinstance(value, list) else 0


def _units(character: str) -> int:
    # Slack's limits may count UTF-16 units.
    return 2 if ord(character) > 0xFFFF else 1


def _width(character: str) -> int:
    return len(ENTITIES.get(character, "")) or _units(character)


def _length(text: str) -> int:
    """Return the sum of the units of all characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _width_of(text: str) -> int:
    """Return the sum of the widths of all characters."""
    return _length(text.translate(ENTITY_TABLE))


def _cut(text: str, limit: int) -> str:
    """Return the text, shortened if it would be wider than `limit` as entities."""
    return text if _width_of(text) <= limit else shorten(text, limit, width=_width)


def _facts(message: Message) -> list[Block]:
    """Return the facts in sections of ten; a last line counts those for which no room was left."""
    facts = [(one_line(name), value) for name, value in message.facts if one_line(name)]
    room, fields = FACTS_WITH_TABLE if message.table else FACTS, []
    for name, value in facts:
        if isinstance(value, Timestamp):
            # A zone's name may be anything.
            shown = re.sub(r"[|^]", "", escape(one_line(str(value)), BUTTON))
            date = f"<!date^{int(value.at.timestamp())}^{DATE_FORMAT}|{shown}>"
            field = _markup(f"{_inert(shorten(name, 100))}\n{date}")
        else:
            text = f"{shorten(name, 100)}\n"
            space = min(FIELD, room) - _width_of(text)
            if space < SHORTEST_VALUE:
                break
            field = _text(text + _cut(one_line(value) or "-", space), FIELD)
        room -= count_characters(field)
        if room < 0:
            break
        fields.append(field)
    found: list[Block] = [
        {"type": "section", "fields": fields[start : start + FIELDS]} for start in range(0, len(fields), FIELDS)
    ]
    if len(fields) < len(facts):
        found.append({"type": "context", "elements": [_text(f"… and {len(facts) - len(fields)} more", FOOTER)]})
    return found


def _actions(message: Message) -> list[Block]:
    """Return the block of the buttons, the link, and the menu; a menu of one entry is a button."""
    link = link_of(message)
    elements = [_button(button) for button in message.buttons[: ELEMENTS - 2]]
    for shown in [*actions_of(message), *([link] if link else [])]:
        if len(shown.url) <= URL and len(elements) < ELEMENTS - 1:
            elements.append(_button(shown))
    usable = (usable_link(entry) if isinstance(entry, Link) else entry for entry in message.menu)
    entries = [entry for entry in usable if entry and not (isinstance(entry, Link) and len(entry.url) > URL)]
    if len(entries) == 1:
        elements.append(_button(entries[0]))
    elif entries:
        elements.append({"type": "overflow", "action_id": MENU, "options": [_option(entry) for entry in entries]})
    return [{"type": "actions", "elements": elements}] if elements else []


def _button(entry: Button | Link) -> Block:
    if isinstance(entry, Link):
        return {"type": "button", "text": _text(entry.label, BUTTON), "url": entry.url}
    text = _text(one_line(entry.text) or "…", BUTTON)
    element = {"type": "button", "text": text, "action_id": entry.action_id, "value": entry.value}
    return element | ({"style": entry.style} if entry.style else {})


def _option(entry: Button | Link) -> Block:
    """Return an entry of the menu; its value has the action, as all entries share the id of the menu."""
    if isinstance(entry, Link):
        return {"text": _text(entry.label, BUTTON), "value": LINK, "url": entry.url}
    return {"text": _text(one_line(entry.text) or "…", BUTTON), "value": f"{entry.action_id} {entry.value}"}


def _native_table(table: Table, caption: str, room: int) -> list[Block]:
    """Return Slack's own table, with as many rows as fit into `room` characters; none without a row that fits."""
    width = min(len(table.columns), COLUMNS)
    header = [{"type": "raw_text", "text": cell_text(name)[:BUTTON]} for name in table.columns[:width]]
    rows: list[list[Block]] = [header]
    room -= count_characters(header)
    for cells in table.rows[:ROWS]:
        row = [_cell(cell) for cell in (*cells[:width], *["-"] * (width - len(cells)))]
        room -= count_characters(row)
        if room < 0:
            break
        rows.append(row)
    if len(rows) == 1:
        return _left_out(table, 0)
    made = {"type": "data_table", "caption": caption, "rows": rows, "page_size": min(PAGE, len(rows) - 1)}
    return [made, *_left_out(table, len(rows) - 1)]


def _cell(cell: Cell) -> Block:
    if isinstance(cell, Timestamp):
        element = {"type": "date", "timestamp": int(cell.at.timestamp()), "format": DATE_FORMAT, "fallback": str(cell)}
    elif isinstance(cell, Link) and (link := usable_link(cell)) and len(link.url) <= URL:
        element = {"type": "link", "url": link.url, "text": shorten(link.label, CELL, width=_units)}
    else:
        return {"type": "raw_text", "text": shorten(cell_text(cell), CELL, width=_units)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [element]}]}


def _text_table(table: Table, _caption: str, room: int) -> list[Block]:
    room, lines = min(room, TEXT), []
    shown = replace(table, rows=table.rows[:MAX_TEXT_ROWS], total=0)
    for line in plain_lines(shown, MAX_TEXT_ROWS):
        room -= _width_of(line) + 1
        if room < 0:
            break
        lines.append(line)
    text: list[Block] = [{"type": "section", "text": _text("\n".join(lines), TEXT)}] if lines else []
    return [*text, *_left_out(table, max(0, len(lines) - 1))]


def _left_out(table: Table, shown: int) -> list[Block]:
    """Return the line on the rows that are not shown, with the link to all rows."""
    words, link = left_out(replace(table, link=None), shown), usable_link(table.link)
    if not words:
        return []
    element = _text(words, FOOTER)
    if link and len(link.url) <= LEFT_OUT_URL:
        element = _markup(f"{words}: <{link.url}|{_inert(shorten(link.label, BUTTON)) or 'Open'}>")
    return [{"type": "context", "elements": [element]}]


def _inert(text: str) -> str:
    """Return the text escaped and without the characters of Slack's markup."""
    return one_line(MARKUP.sub(" ", text)).translate(ENTITY_TABLE)


def _markup(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}
