"""The console notifier: readable, harmless, and each message in one piece."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from notifiers import ConsoleConfig, Link, Message, NotifierError, Picture, Receipt
from notifiers.console import ConsoleNotifier
from notifiers.console.render import render

NOW = datetime(2026, 3, 1, 9, 30, 1, tzinfo=UTC)
FULL = Message(
    "Refresh failed: Sales",
    "Login refused.\nAsk Bob.",
    (("Owner", "Ann"), ("プロ", "Finance")),
    Link("https://example.org/7", "Open in Tableau"),
    "bad",
    footer="rule 1",
)


class Terminal(io.StringIO):
    """A stream that claims to be a terminal and records each write."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


def test_rendered_plain_is_an_aligned_block() -> None:
    """Without a terminal it has no colours and no frames; names are padded to one width, also those of double width."""
    assert render(FULL, NOW, terminal=False).splitlines() == [
        "✗ 09:30:01 Refresh failed: Sales",
        "  Login refused.",
        "  Ask Bob.",
        "  Owner            Ann",
        "  プロ             Finance",
        "  Open in Tableau  https://example.org/7",
        "  rule 1",
        "",
    ]


def test_send_to_a_terminal_is_coloured_and_one_write() -> None:
    """Colours for people; a single write, so that lines of several processes do not mix."""
    terminal = Terminal()
    assert ConsoleNotifier(ConsoleConfig(terminal), clock=lambda: NOW).send(FULL, None) == Receipt("console", "")
    (block,) = terminal.writes
    assert "\x1b[" in block
    assert "https://example.org/7" in block


def test_escape_sequences_and_markup_from_outside_are_not_interpreted() -> None:
    """A workbook's name cannot colour, clear or rewrite the terminal."""
    block = render(Message("\x1b[2J[red]x[/red]", "a\rb", (("k", "\x07"),)), NOW, terminal=False)
    assert "\x1b" not in block
    assert "\r" not in block
    assert "[2J[red]x[/red]" in block


def test_long_addresses_are_not_broken() -> None:
    """A URL stays in one piece on any width."""
    url = "https://example.org/" + "x" * 300
    assert url in render(Message("t", link=Link(url)), NOW, terminal=True)


def test_long_messages_stay_one_piece() -> None:
    """The longest message fits into one write to a pipe (4,096 bytes)."""
    message = Message("t" * 500, "x" * 9000, tuple((f"fact {n}" * 20, "v" * 500) for n in range(50)), footer="f" * 900)
    block = render(message, NOW, terminal=True)
    assert len(block.encode()) < 4096
    assert "38 more" in block


def test_narrow_encoding_prints_question_marks() -> None:
    """A console that cannot show a character still gets the message."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    ConsoleNotifier(ConsoleConfig(stream), clock=lambda: NOW).send(Message("Ümsatz", severity="good"), None)
    assert stream.buffer.getvalue().decode() == "? 09:30:01 ?msatz\n\n"  # type: ignore[attr-defined]


def test_closed_console_is_a_permanent_error() -> None:
    """No reader is left; a retry does not help. The error names the destination."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(NotifierError, match=r"Could not deliver to console\. The console is not writable") as caught:
        ConsoleNotifier(ConsoleConfig(stream)).send(FULL, None)
    assert caught.value.permanent


def test_attach_and_check_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    """A picture is ignored; the check always passes; without a stream messages go to the standard output."""
    console = ConsoleNotifier(ConsoleConfig())
    console.send(Message("Hello"), None)
    console.attach(Picture(b"x", "x.png"), Receipt("console", ""))
    assert console.check().startswith("Console")
    assert "Hello" in capsys.readouterr().out


WRITER = """
import sys
from notifiers import ConsoleConfig, Message
from notifiers.console import ConsoleNotifier
console = ConsoleNotifier(ConsoleConfig())
facts = (("name", sys.argv[1] * 50),) * 9
for number in range(200):
    console.send(Message(f"{sys.argv[1]} {number}", "word " * 100, facts), None)
"""


def test_blocks_of_several_processes_do_not_mix() -> None:
    """Three processes write into one pipe; every block arrives complete."""
    reading, writing = os.pipe()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name], stdout=writing) for name in "abc"]
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        blocks = pipe.read().split("\n\n")[:-1]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(blocks) == 600
    for block in blocks:
        title, _, *facts = block.splitlines()
        assert facts == [f"  name  {title.split()[2] * 50}"] * 9
