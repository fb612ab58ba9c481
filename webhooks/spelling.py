"""Suggest the word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Characters; a longer text is not a misspelt word, and comparing it takes long.
MAX_LENGTH = 100


def closest(word: str, options: Iterable[str]) -> str | None:
    """Return the option most similar to `word`, ignoring case; None if none is similar."""
    if len(word) > MAX_LENGTH:
        return None
    by_fold = {option.casefold(): option for option in options if len(option) <= MAX_LENGTH}
    found = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.7)
    return by_fold[found[0]] if found else None


def hint(word: str, options: Iterable[str]) -> str:
    """Return `did you mean X?`, or `choose one of: …` with all options."""
    options = sorted(options)
    found = closest(word, options)
    return f"did you mean {found}?" if found else f"choose one of: {', '.join(options) or '(none)'}"
