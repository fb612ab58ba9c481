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
    """Return the text without the given secrets and without anything that looks like one.

    The beginning of a secret at the end of the text is removed as well, because long texts are cut off.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) < _SHORTEST:
            continue
        text = text.replace(secret, MASK)
        cut = next((size for size in range(len(secret) - 1, _SHORTEST - 1, -1) if text.endswith(secret[:size])), 0)
        text = text[: len(text) - cut] + MASK if cut else text
    return _SHAPES.sub(MASK, text)
