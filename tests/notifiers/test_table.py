"""Tables as lines of text: aligned or not, bounded, and with a link to the rows that are left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from notifiers import Link, Message, Table, Timestamp
from notifiers.apprise.render import render as render_for_apprise
from notifiers.console.render import render as render_for_console
from notifiers.message import plain_text
from notifiers.table import aligned_lines, left_out, plain_lines
from notifiers.twilio.render import SEGMENTS, is_gsm
from notifiers.twilio.render import render as render_for_sms

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ALL = Link("https://example.org/incidents", "Show all")
SMALL = Table(("Workbook", "Since"), (("Sales", Timestamp(NOW)), (Link("https://example.org/7", "売上"), "")))
LARGE = Table(("Workbook", "Owner"), tuple((f"Workbook {number}", "Ann") for number in range(100)), 250, ALL)


def test_rows_are_lines() -> None:
    """A link is its label, an empty cell a dash; short rows are filled and long ones cut to the columns."""
    assert plain_lines(SMALL, 20) == ["Workbook · Since", "Sales · 2026-03-01 09:30 UTC", "売上 · -"]
    assert plain_lines(Table(("a", "b"), ((), ("1", "2", "3"))), 20) == ["a · b", "- · -", "1 · 2"]


def test_cell_cannot_forge_a_row() -> None:
    """A name with a line break stays on its line, and a long one is cut."""
    (_, row) = plain_lines(Table(("a",), (("x\ny" * 100,),)), 20)
    assert "\n" not in row
    assert len(row) <= 60
    assert row.endswith("…")


def test_aligned_columns_begin_at_the_same_cell() -> None:
    """This holds also behind characters of double width."""
    assert aligned_lines(SMALL, max_rows=9, width=cell_len) == [
        "Workbook  Since",
        "Sales     2026-03-01 09:30 UTC",
        "売上      -",
    ]


@pytest.mark.parametrize(
    ("table", "shown", "words"),
    [
        (LARGE, 20, "… and 230 more: https://example.org/incidents"),
        (Table(("a",), (("1",), ("2",))), 1, "… and 1 more"),
        (Table(("a",), (("1",),)), 1, ""),
        (Table(("a",), (), link=Link("javascript:x")), 0, ""),
        (Table(("a",), (("1",),), link=Link("javascript:x")), 0, "… and 1 more"),
    ],
)
def test_rows_left_out_are_counted_with_a_link(table: Table, shown: int, words: str) -> None:
    """Nothing is cut off silently, and only a web address is shown."""
    assert left_out(table, shown) == words


def test_table_without_columns_is_refused() -> None:
    """Slack refuses it, and no notifier could show it."""
    with pytest.raises(ValueError, match="at least one column"):
        Table((), ())


def test_every_notifier_shows_a_large_table_within_its_bounds() -> None:
    """The first rows, the number of the others and the link; an SMS as many rows as fit."""
    message = Message("250 refreshes failed", table=LARGE, link=Link("https://example.org/"))
    rest = "… and 230 more\nOpen: https://example.org/\nShow all: https://example.org/incidents"
    assert plain_text(message).count("Workbook ") == 20 + 1
    assert plain_text(message).endswith(rest)
    assert render_for_apprise(message, "json", markdown=False, separate_title=True)[1].endswith(rest)
    block = render_for_console(message, NOW, terminal=True)
    assert "… and 240 more: https://example.org/incidents" in block
    sms = render_for_sms(message)
    assert is_gsm(sms)
    assert len(sms) <= SEGMENTS * 153
    assert sms.startswith("250 refreshes failed\nWorkbook - Owner\nWorkbook 0 - Ann\n")
    assert sms.endswith("\n... and 230 more\nhttps://example.org/")
    assert "incidents" not in sms


def test_console_block_with_a_table_is_one_write_to_a_pipe() -> None:
    """The longest message with a table is below 4,096 bytes."""
    facts = tuple((f"fact {number}" * 20, "v" * 500) for number in range(50))
    table = Table(("a" * 99,) * 9, (("x" * 99,) * 9,) * 99)
    message = Message("t" * 500, "x" * 9000, facts, footer="f" * 900, status="s" * 99, table=table)
    assert len(render_for_console(message, NOW, terminal=True).encode()) < 4096
