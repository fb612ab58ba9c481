"""Remember the calls that get 401 although the session is valid, so that they cause no further sign-ins."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

# A right that was granted meanwhile takes effect after this time at the latest.
REMEMBERED_FOR = timedelta(hours=1)
# Any client makes fewer different calls; this only limits memory.
_MAX_CALLS = 1000
_IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Refusals:
    """The calls refused in the last hour; thread-safe. A call is a method and a path, whatever ids are in it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._until: dict[str, datetime] = {}

    def add(self, method: str, path: str) -> bool:
        """Remember a refused call; return whether it was not remembered before."""
        call = pattern(method, path)
        if len(self._until) >= _MAX_CALLS:
            self._until.clear()
        is_new = call not in self._until
        self._until[call] = self._clock() + REMEMBERED_FOR
        return is_new

    def has(self, method: str, path: str) -> bool:
        """Return whether the call was refused in the last hour."""
        until = self._until.get(pattern(method, path))
        return until is not None and self._clock() < until


def pattern(method: str, path: str) -> str:
    """Return a call as in `GET workbooks/{id}/previewImage`."""
    short = path.partition("?")[0].rpartition("/sites/")[2]
    return f"{method} {_IDS.sub('{id}', short)}"
