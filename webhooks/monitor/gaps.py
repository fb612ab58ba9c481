"""How long it is usual that nothing comes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

FEWEST = 20
"""Events below which nothing is usual yet."""
SHORTEST_SECONDS = 3 * 86400.0
"""A history shorter than a few days knows no night and no weekend."""
FACTOR = 1.5
LEAST_SECONDS = 2 * 3600.0


def usual_gap(times: Sequence[float]) -> float | None:
    """So many seconds without an event are nothing special: half as long again as the longest pause so far.

    `times` are those of the last events, newest first, in seconds. None where they are too few to say.
    """
    if len(times) < FEWEST or times[0] - times[-1] < SHORTEST_SECONDS:
        return None
    longest = max(later - earlier for later, earlier in pairwise(times))
    return max(FACTOR * longest, LEAST_SECONDS)


def unusual_gap(times: Sequence[float], now: float) -> float | None:
    """The seconds since the last event, where that is longer than usual."""
    limit = usual_gap(times)
    if limit is None or now - times[0] <= limit:
        return None
    return now - times[0]
