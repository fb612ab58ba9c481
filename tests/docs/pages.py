"""Find the commands in the documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(
    r"(?:^ *<!-- (?:elsewhere: (?P<elsewhere>.+?)|(?P<capture>capture)) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
INLINE = re.compile(r"(?<!`)`(?:\.venv/bin/)?(flask [^`]+)`(?!`)")
END = {"|", "&&", ";", ">", ">>", "||"}
SHELL = {"sh", "console"}


@dataclass(frozen=True)
class Block:
    """A block of code; `elsewhere` is the reason why it cannot run in a test, if it cannot.

    A capture is a message, which tests/notifiers/test_captures.py compares.
    """

    page: Path
    line: int
    language: str
    text: str
    elsewhere: str | None
    is_capture: bool = False

    @cached_property
    def title(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> Iterator[str]:
        """Yield the command lines: all of a shell block, those after `$` in a session, and similar ones elsewhere."""
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            if line.startswith("$ "):
                yield line[2:]
            elif self.language == "sh" or re.match(r"(\.venv/bin/)?(flask|make|python) ", line):
                yield line


def blocks(*languages: str) -> list[Block]:
    """Return every block of these languages, or of all."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if not languages or match["language"] in languages:
                body = re.sub(rf"(?m)^{match['indent']}", "", match["text"])
                line = text.count("\n", 0, match.start("text"))
                found.append(Block(page, line, match["language"], body, match["elsewhere"], bool(match["capture"])))
    return found


def flask_commands() -> dict[str, str]:
    """Return every documented `flask …` command, without its comment, with a place where it occurs."""
    found: dict[str, str] = {}
    for block in blocks(*SHELL, "text"):
        for line in block.commands:
            if command := flask_part(line):
                found.setdefault(command, block.title)
    for page in PAGES:
        for match in INLINE.finditer(page.read_text(encoding="utf-8")):
            for command in alternatives(match[1]):
                found.setdefault(command, str(page.relative_to(ROOT)))
    return found


def flask_part(line: str) -> str:
    """Return the `flask …` part of a shell line, without text before, after and in a second column."""
    match = re.search(r"(?:^|[\s/(])(flask (?:(?!\s{2,}|\s#).)+)", line)
    return match[1].strip() if match else ""


def alternatives(command: str) -> list[str]:
    """Expand `flask events list|show` to two commands."""
    words = command.replace("\\|", "|").split()
    if len(words) > 2 and "|" in words[2]:
        return [" ".join([*words[:2], choice, *words[3:]]) for choice in words[2].split("|")]
    return [command]


def words_of(command: str) -> list[str]:
    """Return the words of a command, up to a pipe."""
    words = shlex.split(command)
    return words[: next((place for place, word in enumerate(words) if word in END), len(words))]


def is_pattern(command: str) -> bool:
    """Return whether it contains placeholders, such as `flask events show ID`."""
    return bool(re.search(r"…|\.\.\.|\[|\b(?:ID|FILE|NAME|EVENT|EVENT_TYPE|WEBHOOK|URL)\b", command))
