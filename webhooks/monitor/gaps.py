"""Detect unusually long gaps between events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

# With fewer events, no gap is usual or unusual.
MIN_EVENTS = 20
# A history of less than three days has seen too few nights, and perhaps no weekend.
MIN_HISTORY_SECONDS = 3 * 86400.0
FACTOR = 1.5
MIN_GAP_SECONDS = 2 * 3600.0


def usual_gap(times: Sequence[float]) -> float | None:
    """Return the seconds without an event that are still usual, or None if there are too few events to tell.

    It is 1.5 times the longest gap so far, and at least two hours. `times` are those of the last events, newest first,
    in seconds.
    """
    if len(times) < MIN_EVENTS or times[0] - times[-1] < MIN_HISTORY_SECONDS:
        return None
    longest = max(later - earlier for later, earlier in pairwise(times))
    return max(FACTOR * longest, MIN_GAP_SECONDS)


def unusual_gap(times: Sequence[float], now: float) -> float | None:
    """Return the seconds since the last event if they are more than usual, else None."""
    limit = usual_gap(times)
    if limit is None or now - times[0] <= limit:
        return None
    return now - times[0]
