"""The texts of a rules file and of the files that it includes, as they are read, stored and compared."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from webhooks.rules.errors import Diagnostic, RulesError

INCLUDE = "include"
# More would be a pattern that matches something else, such as a whole disk.
MAX_FILES = 200
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RulesSource:
    """The text of a rules file, and the texts of the files that it includes, by their names relative to its folder.

    `name` is that of the file in errors. `missing` are the included names and patterns that match no file.
    """

    text: str
    included: Mapping[str, str] = field(default_factory=dict)
    name: str = "rules.toml"
    missing: tuple[str, ...] = ()


def read_source(path: Path) -> RulesSource:
    """Return the texts of the file at `path` and of the files that it includes.

    Raises RulesError for a file that cannot be read. A file that is not TOML includes nothing.
    """
    text = read_text(path)
    included: dict[str, str] = {}
    missing = []
    # The file may be a link to the folder in which the administrator keeps all of them.
    folder = path.resolve().parent
    for pattern in include_patterns(text):
        try:
            # Hidden files are those of editors, and the folders in which Kubernetes swaps a ConfigMap.
            visible = (one for one in folder.glob(pattern) if "/." not in f"/{one.relative_to(folder)}")
            found = sorted(one for one in visible if one.is_file())
        except (ValueError, NotImplementedError, IndexError):
            found = []
        if not found:
            missing.append(pattern)
        if len(found) > MAX_FILES:
            message = f"{INCLUDE}: {pattern!r} matches {len(found)} files; at most {MAX_FILES} can be included"
            raise RulesError(str(path), [Diagnostic("", message)])
        for one in found:
            if one.resolve() != path.resolve():
                included[str(one.relative_to(folder))] = read_text(one)
    return RulesSource(text, included, str(path), tuple(missing))


@lru_cache(maxsize=2)
def include_patterns(text: str) -> tuple[str, ...]:
    """Return the patterns that the text includes, as far as they are valid: relative to the folder of the file.

    The file is read every second, so the last text is not parsed again.
    """
    try:
        value = tomllib.loads(text).get(INCLUDE, [])
    except tomllib.TOMLDecodeError:
        return ()
    patterns = value if isinstance(value, list) else [value]
    return tuple(one for one in patterns if isinstance(one, str) and include_problem(one) == "")


def include_problem(pattern: object) -> str:
    """Return what is wrong with a value of `include`; empty if nothing is."""
    if not isinstance(pattern, str) or not pattern.strip():
        return f'{pattern!r} should be the name of a file, such as "rules.d/finance.toml" or "rules.d/*.toml"'
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        return f'{pattern!r} is outside of the folder of the rules file; write for example "rules.d/*.toml"'
    return ""


def read_text(path: Path) -> str:
    """Return the text of the file at `path`. Raises RulesError if it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            message = f"has more than {MAX_BYTES // 1024 // 1024} MB; is it a rules file?"
            raise RulesError(str(path), [Diagnostic("", message)])
        return content.decode("utf-8-sig")
    except OSError as error:
        raise RulesError(str(path), [Diagnostic("", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save the file as UTF-8"
        raise RulesError(str(path), [Diagnostic("", message)]) from None
