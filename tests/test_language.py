"""Test that texts use plain technical English: no metaphors for machines, no "somebody is told"."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT_FILES = (".py", ".md", ".toml", ".sh", ".html", ".js", ".css", ".service", ".conf", ".yml", ".yaml", "example-env")
# Each with the words to use instead.
REJECTED = {
    r"somebody|nobody(?![\"@])|everybody|whoever": "name the person or the program",
    r"(?:is|are|was|were|be|been) told|tells? (?:people|somebody|of)": "notify, report, log, return",
    r"anew": "again, new",
    r"besides": "in addition",
    r"in vain": "failed",
    r"so many (?:seconds|minutes|days|times)": "this many",
    r"all the same": "anyway",
    r"stands? (?:in|for|there|beside|behind)": "is in, replaces",
    r"at Tableau's side|on Tableau's side": "in Tableau",
    r"rides? along|of its own accord|lonely|well-behaved": "the field's term",
    r"is away|was away|are away": "unavailable",
}
PATTERN = re.compile("|".join(rf"\b(?:{words})\b" for words in REJECTED), re.IGNORECASE)


def text_files() -> list[Path]:
    """Return the tracked text files whose sentences are ours."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return [ROOT / name for name in listed if name.endswith(TEXT_FILES) and name != "tests/test_language.py"]


def test_texts_use_plain_technical_english() -> None:
    """Texts contain none of the rejected words."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]!r} in: {line.strip()[:100]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := PATTERN.search(line))
    ]
    assert not found, "\n".join([*found, "Use instead:", *(f"{words}: {use}" for words, use in REJECTED.items())])


def test_docstrings_begin_with_what_they_are_about() -> None:
    """No docstring opens with a question word: it states a result, a rule or a name."""
    opening = re.compile(r'\s*"""(?:What|Who|Where|When|Why|Which|How|Whether)(?:ever)?\b')
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if path.suffix == ".py" and opening.match(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["Somebody was told.", "starts anew", "what stands in the file", "so many seconds"])
def test_rejected_words_are_found(text: str) -> None:
    """The pattern matches the rejected words in a sentence."""
    assert PATTERN.search(text)
