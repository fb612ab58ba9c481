"""LUIDs: Tableau's ids of content, checked before they become part of a URL."""

from __future__ import annotations

import re
from typing import Protocol

_LUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class HasLuid(Protocol):
    """A model with an id, such as a Workbook, a Job or a Reference."""

    @property
    def luid(self) -> str: ...


def is_luid(value: object) -> bool:
    """Return whether the value is a LUID."""
    return isinstance(value, str) and _LUID.fullmatch(value) is not None


def luid_of(thing: str | HasLuid) -> str:
    """Return the LUID of a model, or the given LUID itself. Raises ValueError for anything else."""
    luid = thing if isinstance(thing, str) else getattr(thing, "luid", thing)
    if not is_luid(luid):
        raise ValueError(f"not a LUID: {luid!r} (expected the form 1f2f3e4e-5d6d-4c8c-9b0b-a1a2a3a4a5a6)")
    return str(luid)
