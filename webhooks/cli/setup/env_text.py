"""Write variables into the text of an env file, and keep everything else in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from webhooks.config.env_file import parse_env

LINE = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=")
PLAIN = re.compile(r"[\w./:@+,=~%?&-]*")
OWNER_ONLY = 0o600


def set_variables(text: str, values: Mapping[str, str]) -> str:
    """Return the text with these values: in the lines that set them, else in new lines at the end.

    Raises ValueError if a value cannot be written, because it has several lines.
    """
    lines, written = [], set()
    for line in text.splitlines():
        found = LINE.match(line)
        if found and found["name"] in values:
            name = found["name"]
            # If a name is set twice, the last line counts: all are changed.
            lines.append(f"{name}={_quoted(values[name])}")
            written.add(name)
        else:
            lines.append(line)
    lines += [f"{name}={_quoted(value)}" for name, value in values.items() if name not in written]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    quoted = value if PLAIN.fullmatch(value) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if len(value.splitlines()) > 1 or parse_env(f"X={quoted}").get("X", "") != value:
        raise ValueError("the value cannot be written on one line")
    return quoted


def replace_file(path: Path, text: str) -> Path | None:
    """Write the file so that only its owner can read it, and return where the previous one is now; None without one.

    Raises OSError.
    """
    new, previous = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.previous")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as file:
        file.write(text)
    existed = path.exists()
    if existed:
        path.replace(previous)
        previous.chmod(OWNER_ONLY)
    new.replace(path)
    return previous if existed else None
