"""Decide how many jobs a worker claims, and how often it plans. Pure."""

from __future__ import annotations

# Jobs claimed for each thread while handlers are fast, so that many share a commit.
AHEAD = 8
FAST_SECONDS = 0.02
# The share of the latest job in the average duration.
WEIGHT = 0.2
# From this many events in a round on, planning pauses: acknowledgements come first.
MANY_EVENTS = 20
PLAN_PAUSE_SECONDS = 0.1


class Pacing:
    """The state of a worker's pacing; all times are in seconds of a clock that does not jump."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        # Slow until the first jobs have shown that they are not.
        self._average_seconds = 1.0
        self._plan_from = 0.0

    def job_took(self, seconds: float) -> None:
        """Include a finished job in the average duration."""
        self._average_seconds += WEIGHT * (seconds - self._average_seconds)

    def room(self, held: int) -> int:
        """Return how many jobs to claim while the worker holds `held`, running or queued."""
        per_thread = AHEAD if self._average_seconds < FAST_SECONDS else 1
        return max(0, self._threads * per_thread - held)

    def may_plan(self, now: float) -> bool:
        """Return whether this round plans events."""
        return now >= self._plan_from

    def planned(self, now: float, events: int, limit: int) -> None:
        """Pause planning after a round with many events, unless it left events behind because of its limit."""
        if MANY_EVENTS <= events < limit:
            self._plan_from = now + PLAN_PAUSE_SECONDS
