"""Render a message as a block of lines for a terminal."""

from __future__ import annotations

import io
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from notifiers.message import Message, facts_of, link_of, mentions_of, title_of
from notifiers.table import aligned_lines, left_out
from notifiers.text import clean, one_line, shorten

SIGNS = {"info": "i", "good": "✓", "warning": "!", "bad": "✗"}
STYLES = {"info": "cyan", "good": "green", "warning": "yellow", "bad": "red"}
# A pipe takes up to 4,096 bytes in one piece; longer blocks of two processes could mix.
PIPE = 4096
TITLE, TEXT, FACTS, NAME, VALUE = 200, 1200, 12, 40, 100
# With a table, fewer facts fit. Rows, characters of a cell, and of a line of the table.
FACTS_WITH_TABLE, ROWS, CELL, LINE = 5, 10, 30, 110


def render(message: Message, now: datetime, *, terminal: bool, encoding: str = "utf-8") -> str:
    """Return the message as a block of lines that ends with an empty one, with colours for a terminal."""
    page = io.StringIO()
    console = Console(
        file=page, force_terminal=terminal, color_system="standard" if terminal else None, legacy_windows=False
    )
    # Without hard wrapping a URL stays in one piece and can be clicked.
    console.print(_block(message, now), soft_wrap=True)
    block = page.getvalue().encode(encoding, "replace").decode(encoding)
    if terminal or len(block.encode()) <= PIPE:
        return block
    return shorten(block.rstrip(), PIPE - 2, width=lambda character: len(character.encode())) + "\n\n"


def _block(message: Message, now: datetime) -> Text:
    block = Text()
    block.append(f"{SIGNS[message.severity]} ", style=f"bold {STYLES[message.severity]}")
    block.append(f"{now:%H:%M:%S} ", style="dim")
    block.append(shorten(title_of(message), TITLE) + "\n", style="bold")
    if mentions := shorten(mentions_of(message), VALUE):
        block.append(f"  {mentions}\n", style="bold")
    for line in shorten(clean(message.text), TEXT).splitlines():
        block.append(f"  {line}\n")
    for name, value in _rows(message):
        block.append(f"  {name}  ", style="dim")
        block.append(f"{value}\n")
    if table := message.table:
        header, *rows = aligned_lines(table, max_rows=ROWS, max_cell=CELL, width=cell_len)
        block.append(f"  {shorten(header, LINE)}\n", style="dim")
        for line in rows:
            block.append(f"  {shorten(line, LINE)}\n")
        if rest := left_out(table, len(rows)):
            block.append(f"  {rest}\n")
    if footer := shorten(one_line(message.footer), VALUE):
        block.append(f"  {footer}\n", style="dim")
    return block


def _rows(message: Message) -> list[tuple[str, str]]:
    """Return the facts and the link, with their names padded to the same width."""
    rows = [(shorten(name, NAME), shorten(value, VALUE)) for name, value in facts_of(message)]
    most = FACTS_WITH_TABLE if message.table else FACTS
    if len(rows) > most:
        rows[most:] = [("…", f"{len(rows) - most} more")]
    if link := link_of(message):
        rows.append((shorten(link.label, NAME), link.url))
    width = max((cell_len(name) for name, _ in rows), default=0)
    return [(name + " " * (width - cell_len(name)), value) for name, value in rows]
