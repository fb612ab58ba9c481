"""Tables, and their form as lines of text. Pure.

A table has no bound, so each function takes one; the rows that it leaves out are counted, with the link to all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from notifiers.text import one_line, shorten
from notifiers.values import Cell, Link, usable_link

# Characters of a cell in a text.
MAX_CELL = 60


@dataclass(frozen=True)
class Table:
    """A table. A notifier that cannot show all rows counts the others and shows `link`, which leads to all of them.

    `total` is the number of all rows if `rows` are only the first ones.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int = 0
    link: Link | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("A table has at least one column")


def cell_text(cell: Cell) -> str:
    """Return a cell as text on one line; of a link, its label."""
    return one_line(cell.label if isinstance(cell, Link) else str(cell)) or "-"


def text_rows(table: Table) -> list[list[str]]:
    """Return the header and the rows as texts, each row with as many cells as there are columns."""
    width = len(table.columns)
    rows = [[cell_text(cell) for cell in row[:width]] for row in (table.columns, *table.rows)]
    return [row + ["-"] * (width - len(row)) for row in rows]


def left_out(table: Table, shown: int) -> str:
    """Return the line that counts the rows beyond `shown`, with the link to all of them; empty if there are none."""
    hidden = max(table.total, len(table.rows)) - shown
    if hidden <= 0:
        return ""
    link = usable_link(table.link)
    return f"… and {hidden} more" + (f": {link.url}" if link else "")


def plain_lines(table: Table, max_rows: int) -> list[str]:
    """Return one line a row, for a font in which columns cannot be aligned."""
    rows = text_rows(table)[: max_rows + 1]
    lines = [" · ".join(shorten(cell, MAX_CELL) for cell in row) for row in rows]
    return [*lines, *filter(None, [left_out(table, len(rows) - 1)])]


def aligned_lines(
    table: Table, *, max_rows: int, max_cell: int = MAX_CELL, width: Callable[[str], int] = len
) -> list[str]:
    """Return the header and at most `max_rows` rows with aligned columns, without the line on those left out.

    `width` returns how many columns of the font a text takes.
    """
    rows = [[shorten(cell, max_cell) for cell in row] for row in text_rows(table)[: max_rows + 1]]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
