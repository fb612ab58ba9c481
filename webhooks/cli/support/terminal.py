"""Print tables and colours on a terminal, the same text plain and unshortened in a pipe, and JSON for programs."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from webhooks import event_types
from webhooks.views import formats

# Characters that some programs take for the end of a line, and those that a terminal interprets.
UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NAME = 120
WIDE = 10_000
JOINERS = "\u200c\u200d"
"""Parts of words and emoji; every other invisible character is shown by its number."""

STYLES = {
    "received": "yellow",
    "planned": "",
    "ignored": "dim",
    "ready": "yellow",
    "running": "cyan",
    "done": "green",
    "skipped": "dim",
    "dead": "bold red",
    "cancelled": "dim",
    "matched": "green",
    "no": "dim",
    "gone": "dim",
    "told": "",
    "failed": "bold red",
    "not made": "yellow",
}
SEVERITY_STYLES = {"bad": "red", "good": "green", "warning": "yellow", "info": "cyan"}


def show(*parts: RenderableType, stream: TextIO | None = None) -> None:
    """Prints the parts below one another."""
    out = stream or sys.stdout
    console = Console(file=out, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = WIDE
    with console.capture() as captured:
        console.print(Group(*parts))
    # Rich fills every line up to the table's width.
    out.write("".join(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1]))
    out.flush()


def is_terminal() -> bool:
    return sys.stdout.isatty()


def table(headings: Sequence[str], rows: Sequence[Sequence[Text | str]], *, flexible: Sequence[str] = ()) -> Table:
    """Columns under headings; where the terminal is too narrow, the `flexible` ones are shortened."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        narrow = {"overflow": "ellipsis", "ratio": None} if heading in flexible else {"min_width": len(heading)}
        made.add_column(heading, no_wrap=True, justify="right" if heading == "ID" else "left", **narrow)
    for row in rows:
        made.add_row(*row)
    return made


def printable(value: Any, missing: str = "-") -> str:
    """A value from outside as text for a terminal: nothing in it can move the cursor or hide what follows."""
    if value is None:
        return missing
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(map(_visible, text)) if text else '""'


def shortened(value: Any) -> str:
    """A name from outside, cut where it would push everything else out of sight; `--json` has the whole of it."""
    text = printable(value)
    return text if len(text) <= NAME else text[: NAME - 1] + "…"


def one_line(text: str) -> str:
    """A text of ours (an error, a reason), cleaned and on one line."""
    return "".join(map(_visible, " ".join(text.split())))


def _visible(character: str) -> str:
    if character in JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character
    return character.encode("unicode_escape").decode("ascii")


def _event_style(event_type: str) -> str:
    """Return the colour of the event type's severity."""
    return SEVERITY_STYLES[event_types.event_type(event_type).severity]


def styled_event_type(name: str) -> Text:
    return Text(printable(name), style=_event_style(name))


def styled_state(word: str, text: str | None = None) -> Text:
    return Text(text or word, style=STYLES.get(word, ""))


def short_time(moment: datetime | None, now: datetime) -> str:
    """Return the short form of a time on a terminal, date and time in a pipe; both in UTC."""
    return formats.short_date_time(moment, now) if is_terminal() else formats.date_time(moment)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, whatever characters it contains."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    click.echo(json_line(value, ascii_only=not unicode))


def json_line(value: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Return a JSON object as a single line, without characters that end a line or move a cursor."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    return UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
