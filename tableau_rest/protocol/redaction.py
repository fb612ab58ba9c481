"""Removal of tokens and secrets from texts that people read."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
# Secrets shorter than this are not masked: the rest of the text would become unreadable.
_SHORTEST = 4

# Secrets of unknown value: a JWT, and whatever follows a name such as token, secret or password.
_SHAPES = re.compile(
    r"""eyJ[\w-]{5,}\.[\w-]+\.[\w-]*
    | (?<=x-tableau-auth:\ )\S+
    | (?<=token=)[^\s&"']+
    | (?<=token="|ecret="|sword=")[^"]+
    | (?<=token":"|ecret":"|sword":")[^"]+
    | (?<=token":\ "|ecret":\ "|sword":\ ")[^"]+""",
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without the given secrets and without anything that looks like one."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, MASK)
    return _SHAPES.sub(MASK, text)
