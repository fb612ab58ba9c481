"""Strings from outside made fit to be shown: control characters gone, lines folded, length cut. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

# Controls that a terminal obeys, NUL, and the marks that turn the reading direction round.
HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
NEWLINE = re.compile("\r\n|\r|\u2028|\u2029|\x85")


def clean(text: str) -> str:
    """The text without control characters and lone surrogates, its newlines all alike, its ends stripped."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return HARMFUL.sub("", NEWLINE.sub("\n", text)).replace("\t", " ").strip()


def one_line(text: str) -> str:
    """The cleaned text with every run of white space made one space."""
    return " ".join(clean(text).split())


def one(_: str) -> int:
    """The width of a character where all are alike."""
    return 1


def shorten(text: str, limit: int, *, width: Callable[[str], int] = one, ellipsis: str = "…") -> str:
    """The text if its characters' widths sum to at most `limit`, else its beginning with an ellipsis.

    `width` gives the cost of one character, at least 1.
    """
    room = limit - sum(map(width, ellipsis))
    used = fits = 0
    for position, character in enumerate(text):
        used += width(character)
        if used <= room:
            fits = position + 1
        if used > limit:
            return text[:fits].rstrip() + ellipsis if room >= 0 else ""
    return text
