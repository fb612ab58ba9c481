"""Make strings from outside fit to be shown: without control characters, on one line, cut to a length. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

# Controls that a terminal obeys, NUL, and the marks that reverse the reading direction.
HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Characters of which people see nothing: white space, joiners, soft hyphens, and the fillers of Hangul.
BLANK = re.compile(
    "[\\s\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2064\u3164\ufe00-\ufe0f\uffa0]*"
)
NEWLINE = re.compile("\r\n|\r|\u2028|\u2029|\x85")


def clean(text: str) -> str:
    """Return the text without control characters and lone surrogates, with uniform newlines, stripped.

    It is empty if people would see nothing of it.
    """
    if text.isascii() and text.isprintable():
        # As most texts are: nothing of what follows is in them.
        return text.strip()
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    cleaned = HARMFUL.sub("", NEWLINE.sub("\n", text)).replace("\t", " ").strip()
    return "" if BLANK.fullmatch(cleaned) else cleaned


def one_line(text: str) -> str:
    """Return the cleaned text with every run of white space replaced by one space."""
    return " ".join(clean(text).split())


def shorten(text: str, limit: int, *, width: Callable[[str], int] = len, ellipsis: str = "…") -> str:
    """Return the text if its characters' widths sum to at most `limit`, else its beginning with an ellipsis.

    `width` returns the cost of one character, at least 1.
    """
    if width is len and len(text) <= limit:
        return text
    room = limit - sum(map(width, ellipsis))
    used = fits = 0
    for position, character in enumerate(text):
        used += width(character)
        if used <= room:
            fits = position + 1
        if used > limit:
            return text[:fits].rstrip() + ellipsis if room >= 0 else ""
    return text
