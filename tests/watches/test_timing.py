"""Test how late a refresh may come and how long it may run, by what is usual."""

from __future__ import annotations

from datetime import timedelta

import pytest

from webhooks.watches.recurrence import DAY
from webhooks.watches.timing import Usual

HOUR = timedelta(hours=1)


def minutes(*numbers: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=number) for number in numbers)


@pytest.mark.parametrize(
    ("delays", "durations", "period", "expected"),
    [
        # Without a history: half an hour, and the usual duration.
        ((), (), DAY, 30),
        ((), (10, 12, 90), DAY, 120),
        ((), (10, 10, 400), DAY, 240),
        # At most half the time to the next run.
        ((), (), HOUR, 30),
        ((), (60,), HOUR, 30),
        ((), (), timedelta(minutes=15), 7.5),
        ((), (), None, 30),
        # Seven known delays replace the default.
        ((1, 1, 1, 1, 1, 1), (), DAY, 30),
        ((1,) * 7, (), DAY, 30),
        ((10,) * 7, (), DAY, 40),
        ((20, 10, 10, 10, 10, 10, 10), (90,), DAY, 60),
        ((8,) * 29 + (300,), (), DAY, 36),
        ((300,) * 30, (), DAY, 240),
    ],
)
def test_grace(
    delays: tuple[float, ...], durations: tuple[float, ...], period: timedelta | None, expected: float
) -> None:
    """The grace follows from the usual delay, and one outlier in a month does not change it."""
    usual = Usual(minutes(*delays), minutes(*durations))
    assert usual.grace(period) == timedelta(minutes=expected)


def test_only_recent_delays_count() -> None:
    """Delays before the last thirty no longer matter."""
    assert Usual(minutes(*(8,) * 30, *(200,) * 100)).grace(DAY) == timedelta(minutes=36)


@pytest.mark.parametrize(
    ("durations", "expected"),
    [((100,) * 7, None), ((100,) * 8, 300), ((1,) * 8, 30), ((10,) * 19 + (300,), 30), ((20,) * 19 + (300,), 60)],
)
def test_longest(durations: tuple[float, ...], expected: float | None) -> None:
    """A refresh is too long beyond three times the usual, at least half an hour, and with eight known durations."""
    assert Usual(durations=minutes(*durations)).longest == (expected and timedelta(minutes=expected))
