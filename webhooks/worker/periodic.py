"""Run a function at most every so often, from a loop that turns faster."""

from __future__ import annotations

import time
from collections.abc import Callable


class Periodic:
    """Calls `function` when `tick` is called, at most every `seconds`."""

    def __init__(
        self, seconds: float, function: Callable[[], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._function, self._clock = seconds, function, clock
        self._due_at = clock()

    def tick(self) -> None:
        """Call the function if it is due."""
        now = self._clock()
        if now >= self._due_at:
            self._due_at = now + self._seconds
            self._function()
