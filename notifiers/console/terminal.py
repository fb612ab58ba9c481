"""A message as a block of lines for a terminal; a room of its own because `rich`, which it needs, is large."""

from __future__ import annotations

import io
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from notifiers.message import Message, facts_of, link_of, title_of
from notifiers.text import clean, one_line, shorten

SIGNS = {"info": "i", "good": "✓", "warning": "!", "bad": "✗"}
STYLES = {"info": "cyan", "good": "green", "warning": "yellow", "bad": "red"}
# A pipe takes up to 4,096 bytes in one piece; longer blocks of two processes could mix.
TITLE, TEXT, FACTS, VALUE = 200, 1200, 12, 100


def rendered(message: Message, now: datetime, *, terminal: bool, encoding: str = "utf-8") -> str:
    """The message as a block of lines ending in an empty one; with colours for a terminal."""
    page = io.StringIO()
    console = Console(
        file=page, force_terminal=terminal, color_system="standard" if terminal else None, legacy_windows=False
    )
    # Soft: an address in the text stays in one piece and can be clicked.
    console.print(_block(message, now), soft_wrap=True)
    return page.getvalue().encode(encoding, "replace").decode(encoding)


def _block(message: Message, now: datetime) -> Text:
    style = STYLES[message.severity]
    block = Text()
    block.append(f"{SIGNS[message.severity]} ", style=f"bold {style}")
    block.append(f"{now:%H:%M:%S} ", style="dim")
    block.append(shorten(title_of(message), TITLE) + "\n", style="bold")
    for line in shorten(clean(message.text), TEXT).splitlines():
        block.append(f"  {line}\n")
    for name, value in _rows(message):
        block.append(f"  {name}  ", style="dim")
        block.append(f"{value}\n")
    if footer := shorten(one_line(message.footer), VALUE):
        block.append(f"  {footer}\n", style="dim")
    return block


def _rows(message: Message) -> list[tuple[str, str]]:
    """Facts and link with their names padded to one width."""
    rows = [(shorten(name, 40), shorten(value, VALUE)) for name, value in facts_of(message)]
    link = link_of(message)
    if len(rows) > FACTS:
        rows[FACTS:] = [("…", f"{len(rows) - FACTS} more")]
    if link:
        rows.append((shorten(link.label, 40), link.url))
    width = max((cell_len(name) for name, _ in rows), default=0)
    return [(name + " " * (width - cell_len(name)), value) for name, value in rows]
