"""Strings from outside are made fit to be shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers.text import clean, one_line, shorten

ANY_TEXT = st.text(st.characters(exclude_categories=[]))  # lone surrogates too


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("plain", "plain"),
        ("  ends  ", "ends"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("nul\x00byte", "nulbyte"),
        ("tab\there", "tab here"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("pair \ud83d\ude00", "pair 😀"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("Ümläut 日本", "Ümläut 日本"),
        ("\u061cx", "x"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("\u200b \u3164\u00ad", ""),
    ],
)
def test_clean_removes_what_a_terminal_would_obey(given_text: str, cleaned: str) -> None:
    """Controls, direction marks and lone surrogates are removed; letters of all languages stay."""
    assert clean(given_text) == cleaned


@settings(deadline=None)
@given(ANY_TEXT)
def test_clean_text_can_be_sent_and_is_stable(text: str) -> None:
    """Cleaned text is valid UTF-8, has no escape character, and cleaning it again changes nothing."""
    cleaned = clean(text)
    cleaned.encode()
    assert "\x1b" not in cleaned
    assert clean(cleaned) == cleaned


@settings(deadline=None)
@given(ANY_TEXT)
def test_one_line_has_no_line_breaks(text: str) -> None:
    """A name with line breaks in it cannot look like several lines."""
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("ab cdef", 4, "ab…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("", 0, ""),
    ],
)
def test_shorten_keeps_the_beginning(text: str, limit: int, cut: str) -> None:
    """A text that is too long ends with an ellipsis, which counts."""
    assert shorten(text, limit) == cut


@settings(deadline=None)
@given(st.text(), st.integers(0, 50))
def test_shorten_never_passes_the_limit(text: str, limit: int) -> None:
    """The widths of the result sum to the limit at most, and a text that fits is unchanged."""
    cut = shorten(text, limit, width=lambda character: 3 if character == "&" else 1)
    size = len(cut) + 2 * cut.count("&")
    assert size <= limit
    if len(text) + 2 * text.count("&") <= limit:
        assert cut == text
