"""How long it is usual that nothing comes."""

from __future__ import annotations

from webhooks.monitor.gaps import unusual_gap, usual_gap

HOUR, DAY = 3600.0, 86400.0


def days(count: int, *, every: float = HOUR, but: tuple[int, ...] = ()) -> list[float]:
    """Events at regular times, none on some days; newest first."""
    times = [at * every for at in range(int(count * DAY / every)) if int(at * every // DAY) not in but]
    return times[::-1]


def test_little_history_has_no_usual() -> None:
    """Too few events, or too few days, say nothing."""
    assert usual_gap([]) is None
    assert usual_gap(days(2)) is None
    assert usual_gap(days(10, every=DAY)) is None


def test_the_longest_pause_so_far_is_usual() -> None:
    """A free weekend stays one; half as long again is not."""
    times = days(14, but=(5, 6))
    assert usual_gap(times) == 1.5 * (2 * DAY + HOUR)
    assert unusual_gap(times, times[0] + 3 * DAY) is None
    assert unusual_gap(times, times[0] + 4 * DAY) == 4 * DAY


def test_a_busy_site_is_not_called_silent_within_two_hours() -> None:
    """An event a minute, then nothing for an hour: that may be maintenance."""
    times = days(4, every=60.0)
    assert unusual_gap(times, times[0] + HOUR) is None
    assert unusual_gap(times, times[0] + 3 * HOUR) == 3 * HOUR
