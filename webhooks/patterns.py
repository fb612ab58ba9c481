"""Patterns as rules and silences have them: `*` and `?`, a leading `!` excludes, and case is ignored. Pure."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from webhooks.text import value_text

# Characters of a value that are compared; Tableau's names have at most 255. Unicode's normal form takes quadratic time.
MAX_COMPARED = 1000

# Globs, one of which must match; those with a leading `!` must not match. Case is ignored.
Patterns = tuple[str, ...]


def matches(patterns: Patterns, values: Iterable[object]) -> bool:
    """Return whether one of `values` matches a pattern and none matches a pattern with `!`; None matches nothing."""
    texts = [normalize(value_text(value, MAX_COMPARED)) for value in values if value is not None]
    included, excluded = divide(patterns)
    return (not included or _any_matches(included, texts)) and not _any_matches(excluded, texts)


def divide(patterns: Patterns) -> tuple[Patterns, Patterns]:
    """Return the patterns to include and those to exclude, the latter without their `!`."""
    included = tuple(pattern for pattern in patterns if not pattern.startswith("!"))
    excluded = tuple(pattern[1:] for pattern in patterns if pattern.startswith("!"))
    return included, excluded


def is_glob(pattern: str) -> bool:
    """Return whether the pattern can match several texts."""
    return "*" in pattern or "?" in pattern


def is_within(pattern: str, other: str) -> bool:
    """Return whether the other pattern surely matches all texts that this one matches; neither has a `!`."""
    # A `*` in the place of a `?` would be too much. Otherwise it can only be in the place of a `*`.
    is_comparable = "*" not in pattern or "?" not in other or normalize(pattern) == normalize(other)
    return is_comparable and _glob(other).match(normalize(pattern)) is not None


def _any_matches(globs: Patterns, texts: Sequence[str]) -> bool:
    return any(_glob(glob).match(text) for glob in globs for text in texts)


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    # Only * and ? are special: a name such as "Sales [EU]" is matched literally.
    return re.compile(glob_expression(pattern))


def glob_expression(pattern: str) -> str:
    """Return the regular expression that matches the same normalized texts as the pattern, which has no `!`."""
    return fnmatch.translate(normalize(pattern).replace("[", "[[]"))


# Cached, because every rule compares the same few values of an event.
@lru_cache(maxsize=512)
def normalize(text: str) -> str:
    """Return the text in the form in which texts are compared."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
