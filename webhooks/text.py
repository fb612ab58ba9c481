"""Text: bounded and without invisible characters where it comes from outside, and a number with its noun. Pure."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

# Zero-width joiners are parts of words and emoji; every other invisible character is shown by its number.
JOINERS = "\u200c\u200d"
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

JSON = json.JSONEncoder(ensure_ascii=False, default=str)


class _Escapes(dict[int, str]):
    """The replacement of each invisible character, for str.translate; every other character is unchanged."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character not in JOINERS and unicodedata.category(character) in INVISIBLE:
            return character.encode("unicode_escape").decode("ascii")
        return character


_ESCAPES = _Escapes()


def escape_invisible(text: str) -> str:
    """Return the text on one line, with every character that moves a cursor, ends a line or hides another escaped."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def cut(text: str, limit: int) -> str:
    """Return the text if it has at most `limit` characters, else its beginning with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def value_text(value: Any, limit: int) -> str:
    """Return the first `limit` characters of a JSON value: those of a text itself, and of the JSON of anything else."""
    if isinstance(value, str):
        return value[:limit]
    parts, size = [], 0
    # Yields the parts as they are needed, so that the rest of a long value costs nothing.
    for part in JSON.iterencode(value):
        parts.append(part)
        size += len(part)
        if size >= limit:
            break
    return "".join(parts)[:limit]


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 failure` or `3 failures`; `plural` is for nouns that do not just add an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
