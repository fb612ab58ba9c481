"""Print tables and colours on a terminal, the same text plain and unshortened in a pipe, and JSON for programs.

rich is imported where something is printed for people, so that `--json` starts without it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from webhooks.event_types import event_type
from webhooks.text import cut, escape_invisible
from webhooks.views import formats

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

# Longest name from outside in a table, in characters; `--json` has the whole of it.
MAX_NAME = 120
# Narrowest width to which a flexible column is shortened.
MIN_WIDTH = 12
# Width of a pipe: lines are never wrapped or shortened there.
PIPE_WIDTH = 10_000
GAP = "  "
# Characters that some programs take for the end of a line, and those that a terminal interprets.
UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")

STYLES = {
    "received": "yellow",
    "planned": "",
    "ignored": "dim",
    "ready": "yellow",
    "retrying": "yellow",
    "waiting": "yellow",
    "running": "cyan",
    "done": "green",
    "skipped": "dim",
    "dead": "bold red",
    "cancelled": "dim",
    "matched": "green",
    "no": "dim",
    "removed": "dim",
    "replaced": "dim",
    "notified": "",
    "pending": "yellow",
    "failed": "bold red",
    "not made": "yellow",
}
SEVERITY_STYLES = {"bad": "red", "good": "green", "warning": "yellow", "info": "cyan"}


def show(*parts: RenderableType, stream: TextIO | None = None) -> None:
    """Print the parts below one another."""
    from rich.console import Console, Group  # noqa: PLC0415 - see above

    out = stream or sys.stdout
    console = Console(file=out, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    with console.capture() as captured:
        console.print(Group(*parts))
    # rich pads every line to the width of its table.
    out.write("".join(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1]))
    out.flush()


def is_terminal() -> bool:
    """Return whether a person reads standard output."""
    return sys.stdout.isatty()


def warn(text: str) -> None:
    """Print a warning or a note on standard error, on a terminal wrapped between words."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    click.secho(text, fg="yellow", err=True)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Text | str]],
    *,
    flexible: Sequence[str] = (),
    width: int | None = None,
) -> Text:
    """Return columns under headings, the column ID aligned right.

    Where they do not fit in `width`, by default that of the terminal, `flexible` columns are shortened first, the
    widest of them first; then those of them but the first one, the most important; then that; then all.
    """
    from rich.text import Text  # noqa: PLC0415 - see above

    lines = [[Text(heading, style="dim") for heading in headings]]
    lines += [[cell.copy() if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    natural = [max(line[column].cell_len for line in lines) for column in range(len(headings))]
    available = width or (shutil.get_terminal_size().columns if is_terminal() else PIPE_WIDTH)
    widths = _fitted(natural, headings, flexible, available - len(GAP) * (len(headings) - 1))
    for line in lines:
        for heading, cell, cell_width in zip(headings, line, widths, strict=True):
            cell.truncate(cell_width, overflow="ellipsis")
            cell.align("right" if heading == "ID" else "left", cell_width)
    return Text("\n").join(Text(GAP).join(line) for line in lines)


def _fitted(widths: Sequence[int], headings: Sequence[str], flexible: Sequence[str], available: int) -> list[int]:
    """Return the widths of the columns, reduced until their sum is at most `available`, if that is possible."""
    fitted = [min(width, available) for width in widths]
    first = {column: MIN_WIDTH for column, heading in enumerate(headings) if heading in flexible}
    # A name that is shorter says nothing any more.
    second = {column: len(heading) for column, heading in enumerate(headings) if heading in flexible[1:]}
    # A state or a time that is cut is misread, a name is not.
    third = {column: len(heading) for column, heading in enumerate(headings) if heading in flexible}
    then = {column: len(heading) for column, heading in enumerate(headings)}
    for smallest in (first, second, third, then):
        while sum(fitted) > available:
            reducible = [column for column, width in smallest.items() if fitted[column] > width]
            if not reducible:
                break
            fitted[max(reducible, key=lambda column: fitted[column])] -= 1
    return fitted


def printable(value: Any, missing: str = "-") -> str:
    """Return a value from outside as text in which nothing can move the cursor or hide what follows."""
    if value is None:
        return missing
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escape_invisible(text) if text else '""'


def shortened(value: Any) -> str:
    """Return a name from outside, printable and at most `MAX_NAME` characters long."""
    text = value[: MAX_NAME + 1] if isinstance(value, str) else value
    return cut(printable(text), MAX_NAME)


def one_line(text: str) -> str:
    """Return an error or a reason, printable and on one line."""
    return escape_invisible(" ".join(text.split()))


def styled(text: str, style: str) -> Text:
    """Return a text in a style of rich, such as `bold red`."""
    from rich.text import Text  # noqa: PLC0415 - see above

    return Text(text, style=style)


def styled_event_type(name: str) -> Text:
    """Return an event type in the colour of its severity."""
    return styled(shortened(name), SEVERITY_STYLES[event_type(name).severity])


def styled_state(state: str, text: str = "") -> Text:
    """Return a state, or a text about it, in the state's colour."""
    return styled(text or state, STYLES.get(state, ""))


def short_time(moment: datetime | None, now: datetime) -> str:
    """Return the short form of a time on a terminal, date and time in a pipe; both in UTC."""
    if not is_terminal():
        return formats.date_time(moment)
    return formats.short_date_time(moment, now)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, whatever characters it contains."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    click.echo(json_line(value, ascii_only=not unicode))


def json_line(value: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Return a JSON object as a single line, without characters that end a line or move a cursor."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    return UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
