"""Find the line of each key and value of a TOML document, which `tomllib` does not say."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress

# The names and numbers that lead to a value, such as ("rule", 0, "notify", 1, "to").
Path = tuple[str | int, ...]

QUOTES = ('"""', "'''", '"', "'")
END_OF_VALUE = ",]}#\r\n"


def find_lines(text: str) -> Mapping[Path, int]:
    """Return the line of each key, table and list item of a valid TOML document, counted from 1.

    A document that is not valid is read as far as possible.
    """
    scanner = _Scanner(text)
    with suppress(IndexError, ValueError, RecursionError):
        scanner.scan()
    return scanner.lines


class _Scanner:
    """Reads a document that tomllib has accepted, so that it needs to look for the ends of things only."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text, self._at = text, 0
        self._ends = [number for number, character in enumerate(text) if character == "\n"]
        # How many tables the arrays of tables have so far.
        self._counts: dict[Path, int] = {}

    def scan(self) -> None:
        table: Path = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]`, and return the path of the table that begins there."""
        start, is_array = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        *above, last = self._key()
        path: Path = ()
        for name in above:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, last)
        if is_array:
            number = self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, number - 1)
        elif path in self._counts:
            path = (*path, self._counts[path] - 1)
        self._mark(path, start)
        self._at = self._text.index("]", self._at) + (2 if is_array else 1)
        return path

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._key())
        for length in range(len(table) + 1, len(path) + 1):
            self._mark(path[:length], start)
        self._at = self._text.index("=", self._at) + 1
        self._skip_blank()
        self._value(path)

    def _key(self) -> list[str]:
        """Read a key with its dots, and stop at the character behind it."""
        names = []
        while True:
            self._skip_blank()
            if self._text[self._at] in "\"'":
                start = self._at
                self._string()
                names.append(self._text[start + 1 : self._at - 1])
            else:
                start = self._at
                while self._text[self._at].isalnum() or self._text[self._at] in "_-":
                    self._at += 1
                names.append(self._text[start : self._at])
            self._skip_blank()
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: Path) -> None:
        character = self._text[self._at]
        if character in "\"'":
            self._string()
        elif character == "[":
            self._at += 1
            number = 0
            while self._skip_blank() and self._text[self._at] != "]":
                self._mark((*path, number), self._at)
                self._value((*path, number))
                number += 1
                if self._skip_blank() and self._text[self._at] == ",":
                    self._at += 1
            self._at += 1
        elif character == "{":
            self._at += 1
            while self._skip_blank() and self._text[self._at] != "}":
                self._pair(path)
                if self._skip_blank() and self._text[self._at] == ",":
                    self._at += 1
            self._at += 1
        else:
            start = self._at
            while self._at < len(self._text) and self._text[self._at] not in END_OF_VALUE:
                self._at += 1
            if self._at == start:
                raise ValueError("there is no value")

    def _string(self) -> None:
        quote = next(one for one in QUOTES if self._text.startswith(one, self._at))
        self._at += len(quote)
        while not self._text.startswith(quote, self._at):
            # A literal string has no escapes.
            self._at += 2 if self._text[self._at] == "\\" and quote[0] == '"' else 1
        self._at += len(quote)
        # A multi-line string may end with one or two quotation marks of its own.
        while len(quote) == 3 and self._text.startswith(quote[0], self._at):
            self._at += 1

    def _skip_blank(self) -> bool:
        """Go to the next character that is neither blank nor in a comment; return whether there is one."""
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif character in " \t\r\n":
                self._at += 1
            else:
                return True
        return False

    def _mark(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self._ends, at - 1) + 1)
