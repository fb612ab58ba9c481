"""Compare two versions of the rules: the change in a few words, and line by line."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from webhooks.text import count

if TYPE_CHECKING:
    from webhooks.inbox import RuleVersion

# The name of the rules file itself in a comparison.
MAIN_FILE = "rules.toml"
# Names of rules in one line.
MAX_NAMES = 3


def describe_change(old: RuleVersion | None, new: RuleVersion) -> str:
    """Return in one line which rules and sections were added, changed and removed; `old` is None for the first."""
    after = _parts(new)
    if old is None:
        return f"first version, {count(sum(kind == 'rule' for kind, _ in after), 'rule')}"
    before = _parts(old)
    groups = {
        "added": [key for key in after if key not in before],
        "changed": [key for key in after if key in before and after[key] != before[key]],
        "removed": [key for key in before if key not in after],
    }
    found = [f"{word} {_names(keys)}" for word, keys in groups.items() if keys]
    if not found and list(before) != list(after):
        found = ["order of the rules"]
    return "; ".join(found) or "only comments and layout"


def diff_lines(old: RuleVersion | None, new: RuleVersion) -> Sequence[str]:
    """Return the changed lines of all files, each with the three lines around it, as `diff -u` writes them."""
    before, after = _files(old) if old else {}, _files(new)
    lines: list[str] = []
    for name in dict.fromkeys([*after, *before]):
        old_lines, new_lines = (files.get(name, "").splitlines() for files in (before, after))
        title = f"version {old.id}: {name}" if old else "nothing"
        lines += difflib.unified_diff(old_lines, new_lines, title, f"version {new.id}: {name}", lineterm="")
    return lines


def _files(version: RuleVersion) -> dict[str, str]:
    return {MAIN_FILE: version.text, **version.included}


def _parts(version: RuleVersion) -> dict[tuple[str, str], Any]:
    """Return the rules and watches by their names, and the sections; stored versions are valid TOML."""
    parts: dict[tuple[str, str], Any] = {}
    for text in _files(version).values():
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        for key, value in document.items():
            if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
                parts |= {(key, str(one.get("name", ""))): one for one in value}
            else:
                parts["section", key] = value
    return parts


def _names(keys: Sequence[tuple[str, str]]) -> str:
    words = [f"[{name}]" if kind == "section" else f'"{name}"' for kind, name in keys]
    more = len(words) - MAX_NAMES
    return ", ".join(words[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
