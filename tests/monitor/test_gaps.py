"""Unusually long gaps between events."""

from __future__ import annotations

from webhooks.monitor.gaps import unusual_gap, usual_gap

HOUR, DAY = 3600.0, 86400.0


def event_times(days: int, *, every: float = HOUR, without: tuple[int, ...] = ()) -> list[float]:
    """Return the times of events at regular intervals, newest first; none on the days in `without`."""
    times = [number * every for number in range(int(days * DAY / every)) if int(number * every // DAY) not in without]
    return times[::-1]


def test_short_history_has_no_usual_gap() -> None:
    """Too few events, or too few days, say nothing."""
    assert usual_gap([]) is None
    assert usual_gap(event_times(2)) is None
    assert usual_gap(event_times(10, every=DAY)) is None


def test_the_longest_gap_so_far_is_usual() -> None:
    """A weekend without events is usual once it has happened; 1.5 times as long is not."""
    times = event_times(14, without=(5, 6))
    assert usual_gap(times) == 1.5 * (2 * DAY + HOUR)
    assert unusual_gap(times, times[0] + 3 * DAY) is None
    assert unusual_gap(times, times[0] + 4 * DAY) == 4 * DAY


def test_gaps_of_less_than_two_hours_are_always_usual() -> None:
    """One event per minute, then none for an hour: that may be maintenance."""
    times = event_times(4, every=60.0)
    assert unusual_gap(times, times[0] + HOUR) is None
    assert unusual_gap(times, times[0] + 3 * HOUR) == 3 * HOUR
