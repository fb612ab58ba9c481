"""Text for people: tables and colours on a terminal, the same text plain and unshortened in a pipe."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

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


def clean(value: Any, missing: str = "-") -> str:
    """A value from outside as text for a terminal: nothing in it can move the cursor or hide what follows."""
    if value is None:
        return missing
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(map(_visible, text)) if text else '""'


def short(value: Any) -> str:
    """A name from outside, cut where it would push everything else out of sight; `--json` has the whole of it."""
    text = clean(value)
    return text if len(text) <= NAME else text[: NAME - 1] + "…"


def one_line(text: str) -> str:
    """A text of ours (an error, a reason), cleaned and on one line."""
    return "".join(map(_visible, " ".join(text.split())))


def _visible(character: str) -> str:
    if character in JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character
    return character.encode("unicode_escape").decode("ascii")


def event_style(event_type: str) -> str:
    """Red for what failed, green for what succeeded, yellow for what is gone."""
    for ending, style in (("Failed", "red"), ("Succeeded", "green"), ("Deleted", "yellow")):
        if event_type.endswith(ending):
            return style
    return "cyan"


def event_type(name: str) -> Text:
    return Text(clean(name), style=event_style(name))


def state(word: str, text: str | None = None) -> Text:
    return Text(text or word, style=STYLES.get(word, ""))


def time(moment: datetime | None) -> str:
    """Date and time in UTC, as everything else here: Tableau's own times, the log, `--since`."""
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def short_time(moment: datetime | None, now: datetime) -> str:
    """The time alone for what happened today (UTC), with the day for all else."""
    if moment is None or not is_terminal():
        return time(moment)
    at = moment.astimezone(UTC)
    return at.strftime("%H:%M:%S") if at.date() == now.astimezone(UTC).date() else at.strftime("%d %b %H:%M")
