"""Decide how many jobs a worker claims, and when it plans and claims. Pure."""

from __future__ import annotations

import heapq

from webhooks.inbox.databases.known_database import KnownDatabase

# Jobs claimed for each thread while handlers are fast, so that many share a commit.
AHEAD = 8
FAST_SECONDS = 0.02
# The share of the latest job in the average duration.
WEIGHT = 0.2
# From this many events in a round on, planning pauses: acknowledgements come first.
MANY_EVENTS = 20
PLAN_PAUSE_SECONDS = 0.1
# Seconds for which the process that planned them is the only one that plans; its next round begins before they end.
TURN_SECONDS = 0.3


class Pacing:
    """The state of a worker's pacing; all times are in seconds of the machine's clock that does not jump.

    `known` is what the processes of the server share.
    """

    def __init__(self, threads: int, known: KnownDatabase | None = None) -> None:
        self._threads = threads
        self._known = known or KnownDatabase()
        # Slow until the first jobs have shown that they are not.
        self._average_seconds = 1.0
        self._plan_from = 0.0
        self._due: list[float] = []

    def job_took(self, seconds: float) -> None:
        """Include a finished job in the average duration."""
        self._average_seconds += WEIGHT * (seconds - self._average_seconds)

    def room(self, held: int) -> int:
        """Return how many jobs to claim while the worker holds `held`, running or queued."""
        per_thread = AHEAD if self._average_seconds < FAST_SECONDS else 1
        return max(0, self._threads * per_thread - held)

    def may_plan(self, now: float) -> bool:
        """Return whether this round plans events."""
        return now >= self._plan_from and self._known.may_plan(now)

    def planned(self, now: float, events: int, limit: int) -> None:
        """Pause planning after a round with many events, unless it left events behind because of its limit.

        While there are many, the other processes leave them to this one.
        """
        if events >= MANY_EVENTS:
            self._known.reserve_planning(now + TURN_SECONDS)
        if MANY_EVENTS <= events < limit:
            self._plan_from = now + PLAN_PAUSE_SECONDS

    def postponed(self, due: float) -> None:
        """Remember when a job of this worker is due again."""
        heapq.heappush(self._due, due)

    def pause(self, began: float, now: float, longest: float) -> float:
        """Return how long to wait for the next round: until the next postponed job is due, at most `longest`.

        `began` is when the last round began: it may have missed what has become due since.
        """
        while self._due and self._due[0] <= began:
            heapq.heappop(self._due)
        return min(longest, max(0.0, self._due[0] - now)) if self._due else longest
