"""One file of the rules: its tables, and the lines of its keys."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from webhooks.rules.errors import Diagnostic
from webhooks.rules.positions import Path, find_lines
from webhooks.rules.syntax import describe_syntax_error, line_of


@dataclass(frozen=True)
class Document:
    """The rules file, whose `name` is empty, or an included one. Without `tables`, `error` says why."""

    text: str
    name: str = ""
    tables: Mapping[str, Any] = field(default_factory=dict)
    error: Diagnostic | None = None

    @classmethod
    def read(cls, text: str, name: str = "") -> Document:
        """Return the document in a text."""
        try:
            return cls(text, name, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            message = describe_syntax_error(text, str(error))
            return cls(text, name, error=Diagnostic(name, message, file=name, line=line_of(str(error))))

    @cached_property
    def _lines(self) -> Mapping[Path, int]:
        # Found on first use: a file without errors and warnings never needs them.
        return find_lines(self.text)

    def has(self, path: Path) -> bool:
        """Return whether something is written at exactly this path."""
        return path in self._lines

    def line(self, path: Path) -> int:
        """Return the line of what is at `path`, or of the nearest part around it; 0 if that is unknown."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 0


@dataclass(frozen=True)
class Place:
    """A table of a document, such as a rule; `label` names it in errors: `rule 2 "Finance"`."""

    document: Document
    label: str
    path: Path = ()

    def diagnostic(self, message: str, path: Path = ()) -> Diagnostic:
        """Return the error or warning about the value at `path` within the table."""
        line = self.document.line((*self.path, *path))
        position = ", ".join(filter(None, [self.document.name, f"line {line}" if line else ""]))
        label = f"{self.label} ({position})" if position and self.label else self.label or position
        return Diagnostic(label, message, file=self.document.name, line=line)

    def find(self, value: object, pattern: str) -> Path:
        """Return where `pattern` is in `value`, the content of the table; an empty path if it is nowhere."""
        if isinstance(value, str):
            return ()
        items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        for key, one in items:
            if one == pattern:
                return (key,)
            if found := self.find(one, pattern):
                return (key, *found)
        return ()
