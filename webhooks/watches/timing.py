"""Compute how late a refresh may come, and how long it may run. Pure.

docs/decisions/ has the reasons for the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

# Before there is a history of delays: half an hour in Tableau's queue, and the usual duration.
DEFAULT_GRACE = timedelta(minutes=30)
# Tableau's queue is some minutes long on most nights, and half an hour on a few.
MIN_GRACE = timedelta(minutes=30)
# Of content that Tableau does not schedule.
LEARNED_GRACE = timedelta(hours=1)
# A refresh that waits in Tableau's queue may wait this many times the grace.
QUEUE_FACTOR = 3
MAX_GRACE = timedelta(hours=4)
# Delays that are enough to know what is usual, and the most recent ones that count.
MIN_DELAYS = 7
MAX_DELAYS = 30
# The grace is this many times the usual delay, and this much more.
DELAY_FACTOR = 2
DELAY_MARGIN = timedelta(minutes=20)
# Durations that are enough to know what is usual.
MIN_DURATIONS = 8
LONG_FACTOR = 3
# A refresh that usually takes a minute may take half an hour before anyone is alerted.
MIN_LONG = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Usual:
    """Usual delays, from the scheduled time to the start, and usual durations of the refreshes of some content."""

    delays: tuple[timedelta, ...] = ()
    durations: tuple[timedelta, ...] = ()

    def grace(self, period: timedelta | None) -> timedelta:
        """Return how long after its scheduled time a refresh may come.

        `period` is the shortest time between two runs of the schedule: the grace is at most half of it, so that a
        missed run is reported before the next but one.
        """
        length = DEFAULT_GRACE + (percentile(self.durations, 95) if self.durations else timedelta())
        if len(self.delays) >= MIN_DELAYS:
            length = DELAY_FACTOR * percentile(self.delays[:MAX_DELAYS], 95) + DELAY_MARGIN
        longest = min(MAX_GRACE, period / 2) if period else MAX_GRACE
        return min(max(length, MIN_GRACE), longest)

    @property
    def most(self) -> timedelta | None:
        """Return how long most runs take at most; None if too few are known."""
        return percentile(self.durations, 95) if len(self.durations) >= MIN_DURATIONS else None

    @property
    def longest(self) -> timedelta | None:
        """Return how long a refresh may run; None if too few are known."""
        return None if self.most is None else max(LONG_FACTOR * self.most, MIN_LONG)


def percentile(lengths: Sequence[timedelta], percent: int) -> timedelta:
    """Return the smallest of the lengths that at least `percent` of them do not exceed."""
    ordered = sorted(lengths)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]
