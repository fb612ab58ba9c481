"""LUIDs: Tableau's ids of content, checked before they become part of a URL."""

from __future__ import annotations

import re
from typing import Protocol

_LUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class HasLuid(Protocol):
    """Anything Tableau gave us that has an id of its own: a Workbook, a Job, a Reference, …"""

    @property
    def luid(self) -> str: ...


def luid_of(thing: str | HasLuid) -> str:
    """The LUID of a model or the LUID itself. Raises ValueError when it is not one, before any request is made."""
    luid = thing if isinstance(thing, str) else getattr(thing, "luid", thing)
    if not isinstance(luid, str) or not _LUID.fullmatch(luid):
        raise ValueError(f"not a LUID: {luid!r} (expected is the form 1f2f3e4e-5d6d-4c8c-9b0b-a1a2a3a4a5a6)")
    return luid
