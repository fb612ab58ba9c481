"""Render a message as an SMS: few segments, in the alphabet that costs half. Pure.

https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from notifiers.message import Message, facts_of, link_of, table_lines, title_of
from notifiers.text import clean, one_line, shorten

SEGMENTS = 3
# A segment of several holds 153 or 67 units; one is left unused, as no character is split between two segments.
GSM_UNITS, UNICODE_UNITS = 152, 66
# Units of a message of one segment, and of each segment of several, which have a header:
# https://www.twilio.com/docs/glossary/what-sms-character-limit
GSM_SEGMENT, UNICODE_SEGMENT = (160, 153), (70, 67)
# Characters of a part that are looked at; far more than fit, and Unicode's normal form takes quadratic time.
MAX_PART = 2000
# Characters of the hint, which is never cut.
MAX_HINT = 40
# With fewer units left, the middle would be hardly a word.
SHORTEST_MIDDLE = 10

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these costs two units.
GSM_EXTENSION = frozenset("^{}\\[~]|€")
QUOTES = "\u2018\u2019\u201a\u201b\u2032`\u00b4"
DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\u00b7"
PLAIN = str.maketrans(
    {
        **dict.fromkeys(QUOTES, "'"),
        **dict.fromkeys(DOUBLE_QUOTES, '"'),
        **dict.fromkeys(DASHES, "-"),
        "\u2026": "...",
        "\u2192": "->",
        "\u00d7": "x",
    }
)


def render(message: Message, *, segments: int = SEGMENTS) -> str:
    """Return title, text, facts, hint and link in at most `segments` segments; the end of the facts is cut first.

    Footer, buttons and mentions are left out, the link is complete or left out, and one character that GSM-7 does not
    have makes all of the message Unicode, with less than half as many characters.
    """
    link = link_of(message)
    facts = [f"{name}: {value}" for name, value in facts_of(message)]
    middle = "\n".join(filter(None, [clean(message.text), *facts, *table_lines(message)]))[:MAX_PART]
    title, url = title_of(message)[:MAX_PART], link.url if link else ""
    hint = simplify(one_line(message.hint))[:MAX_HINT]
    parts = (simplify(title), simplify(middle), hint, url)
    body = _fit(parts, room=segments * GSM_UNITS, width=gsm_width)
    if body and is_gsm(body):
        return body
    return _fit((title, middle, hint, url), room=segments * UNICODE_UNITS, width=unicode_width)


def _fit(given: tuple[str, str, str, str], *, room: int, width: Callable[[str], int]) -> str:
    """Return the parts on separate lines, cut so that together they take at most `room` units."""

    def cut(text: str, limit: int) -> str:
        return shorten(text, limit, width=width, ellipsis="...")

    def size(text: str) -> int:
        return sum(map(width, text))

    title, middle, hint, url = given
    if size(url) > room // 2:
        url = ""
    parts = [cut(title, room // 3), hint, url]
    left = room - sum(size(part) + 1 for part in parts if part)
    parts.insert(1, cut(middle, left) if left > SHORTEST_MIDDLE else "")
    return "\n".join(part for part in parts if part)


def simplify(text: str) -> str:
    """Return the text with plain quotes and dashes, without emoji, and without accents that GSM-7 does not have."""
    kept: list[str] = []
    removed = False
    for character in map(_simplify_character, unicodedata.normalize("NFC", text).translate(PLAIN)):
        # Of the spaces around a removed character one stays, and none at the beginning or end of a line.
        if not character:
            removed = True
        elif not (removed and character == " " and (not kept or kept[-1] in " \n")):
            if removed and character == "\n" and kept and kept[-1] == " ":
                kept.pop()
            kept.append(character)
            removed = False
    return "".join(kept).strip()


def _simplify_character(character: str) -> str:
    if character in GSM or character in GSM_EXTENSION:
        return character
    if character.isspace():
        return " "
    if unicodedata.category(character) in {"So", "Sk", "Cf", "Mn"}:
        return ""
    letter = unicodedata.normalize("NFD", character)[0]
    return letter if letter in GSM else character


def count_segments(text: str) -> int:
    """Return the number of segments that Twilio sends and charges; no character is split between two."""
    width = gsm_width if is_gsm(text) else unicode_width
    single, several = GSM_SEGMENT if width is gsm_width else UNICODE_SEGMENT
    if sum(map(width, text)) <= single:
        return 1
    segments, used = 1, 0
    for character in text:
        if used + width(character) > several:
            segments, used = segments + 1, 0
        used += width(character)
    return segments


def is_gsm(text: str) -> bool:
    """Return whether every character is in GSM-7 or its extension."""
    return GSM.union(GSM_EXTENSION).issuperset(text)


def gsm_width(character: str) -> int:
    """Return how many septets a character takes."""
    return 2 if character in GSM_EXTENSION else 1


def unicode_width(character: str) -> int:
    """Return how many UTF-16 units a character takes."""
    return 2 if ord(character) > 0xFFFF else 1
