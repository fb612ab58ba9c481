"""What people see: nothing from outside obeys the terminal, tables stay in line."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from webhooks.cli.support import terminal
from webhooks.views import formats


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Sales", "Sales"),
        ("Umsätze 売上 👩‍💻", "Umsätze 売上 👩‍💻"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("two\nlines", "two\\nlines"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("", '""'),
        (None, "-"),
        (99, "99"),
        ({"a": "ü"}, '{"a": "ü"}'),
    ],
)
def test_clean_shows_what_came_in_and_lets_nothing_through(value: object, shown: str) -> None:
    """Letters of all scripts stay; characters that a terminal would obey appear by their numbers."""
    assert terminal.printable(value) == shown


def test_table_in_a_pipe_is_aligned_and_whole() -> None:
    """Without a terminal: no colour, no shortening, no blanks at the ends of lines, wide characters counted."""
    out = io.StringIO()
    rows = [["1", Text("x" * 300, style="red"), "done"], ["22", "売上", "dead"]]
    terminal.show(terminal.table(["ID", "RESOURCE", "STATE"], rows, flexible=["RESOURCE"]), stream=out)
    heading, long, wide = out.getvalue().splitlines()
    assert long == f" 1  {'x' * 300}  done"
    assert wide == f"22  売上{' ' * 296}  dead"
    assert heading.startswith("ID  RESOURCE")
    assert heading.endswith("STATE")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 ms"), (0.04, "40 ms"), (0.4, "0.4 s"), (5, "5 s"), (56.3, "56 s"), (125, "2 min 5 s"), (7200, "2 h")],
)
def test_length_is_told_as_people_say_it(seconds: float, words: str) -> None:
    """Two units at most, and no digits that nobody reads."""
    assert formats.duration(seconds) == words


def test_length_of_days_names_hours() -> None:
    """Long times stay readable; none is negative."""
    assert formats.duration(2 * 86400 + 4 * 3600 + 59) == "2 d 4 h"
    assert formats.duration(-3) == "0 ms"
