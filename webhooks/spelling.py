"""What a person may have meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option that looks most like `word`, whatever its case; None where none does."""
    by_fold = {option.casefold(): option for option in options}
    found = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.7)
    return by_fold[found[0]] if found else None


def hint(word: str, options: Iterable[str]) -> str:
    """`did you mean X?`, or the list of all options."""
    options = sorted(options)
    found = closest(word, options)
    return f"did you mean {found}?" if found else f"choose one of: {', '.join(options) or 'none'}"
