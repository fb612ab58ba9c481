"""Takes tokens and secrets out of text before anybody reads it."""

from __future__ import annotations

import re

MASK = "***"

# What a secret looks like when we do not know its value: a JWT, and a value behind one of Tableau's telling names.
_SHAPES = re.compile(
    r"""eyJ[\w-]{5,}\.[\w-]+\.[\w-]*
    | (?<=x-tableau-auth:\ )\S+
    | (?<=token=)[^\s&"']+
    | (?<=token="|ecret="|sword=")[^"]+
    | (?<=token":"|ecret":"|sword":")[^"]+
    | (?<=token":\ "|ecret":\ "|sword":\ ")[^"]+""",
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str, *secrets: str) -> str:
    """`text` without the given secrets and without anything that has the shape of one."""
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, MASK)
    return _SHAPES.sub(MASK, text)
