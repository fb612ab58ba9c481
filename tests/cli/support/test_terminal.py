"""Test the text for people: nothing from outside controls the terminal, and tables are aligned."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from webhooks.cli.support import terminal


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
def test_printable_text_cannot_control_the_terminal(value: object, shown: str) -> None:
    """Letters of all scripts are kept; control characters are replaced by their numbers."""
    assert terminal.printable(value) == shown


def test_table_in_a_pipe_is_aligned_and_whole() -> None:
    """A pipe gets no colours, no shortened text and no trailing spaces; wide characters count as two."""
    out = io.StringIO()
    rows = [["1", Text("x" * 300, style="red"), "done"], ["22", "売上", "dead"]]
    terminal.show(terminal.table(["ID", "RESOURCE", "STATE"], rows, flexible=["RESOURCE"]), stream=out)
    heading, long, wide = out.getvalue().splitlines()
    assert long == f" 1  {'x' * 300}  done"
    assert wide == f"22  売上{' ' * 296}  dead"
    assert heading.startswith("ID  RESOURCE")
    assert heading.endswith("STATE")


def test_a_narrow_terminal_shortens_flexible_columns_only() -> None:
    """At 80 columns the flexible columns give way, and every other column keeps its whole content."""
    rows = [["Refresh failures of all finance workbooks", "notify slack:#" + "x" * 60, "41 (3 skipped)", "-32"]]
    headings = ["RULE", "ACTION", "THEN", "CHANGE"]
    heading, row = terminal.table(headings, rows, flexible=headings[:2], width=80).plain.split("\n")
    assert (len(heading), len(row)) == (80, 80)
    assert row.endswith("…  41 (3 skipped)  -32   ")
    assert row.startswith("Refresh failures")


def test_a_very_narrow_terminal_shortens_the_widest_columns() -> None:
    """If flexible columns are not enough, the widest of the others are shortened too, and no line is too long."""
    row = ["1", "WorkbookRefreshFailed", "Sales of the year", "1 dead, 1 done"]
    text = terminal.table(["ID", "EVENT", "RESOURCE", "STATE"], [row], flexible=["RESOURCE"], width=50).plain
    assert all(len(line) <= 50 for line in text.split("\n"))
    assert text.endswith("1 dead, 1 done")


def test_the_first_flexible_column_is_shortened_least() -> None:
    """On a terminal of 80 columns, the state of an incident is not cut before its project."""
    headings = ["STATE", "NAME", "PROJECT", "OPENED"]
    row: list[Text | str] = ["acknowledged", "x" * 40, "y" * 40, "z" * 20]
    shown = terminal.table(headings, [row], flexible=["NAME", "PROJECT"], width=58).plain.split("\n")[1]
    assert shown == f"acknowledged  {'x' * 11}…  {'y' * 7}…  {'z' * 20}"
    # A name that is cut further is better than a time that is misread.
    shown = terminal.table(headings, [row], flexible=["NAME", "PROJECT"], width=52).plain.split("\n")[1]
    assert shown == f"acknowledged  {'x' * 6}…  {'y' * 6}…  {'z' * 20}"
