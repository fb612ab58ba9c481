"""Test the formats of times, durations and counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from webhooks.text import count
from webhooks.views import formats

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.04, "40 ms"),
        (0.4, "0.4 s"),
        (5, "5 s"),
        (9.97, "10 s"),
        (56.3, "56 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (7199.6, "2 h"),
        (7200, "2 h"),
        (2 * 86400 + 4 * 3600 + 59, "2 d 4 h"),
        (-3, "0 ms"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    """A duration has two units at most, no more digits than are useful, and is never negative."""
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("past", "text"), [(0.4, "just now"), (-5, "just now"), (1.2, "1 s ago"), (125, "2 min 5 s ago")]
)
def test_a_past_moment_is_given_relative_to_now(past: float, text: str) -> None:
    """Within a second, and with a clock that is ahead, it is just now."""
    assert formats.ago(NOW - timedelta(seconds=past), NOW) == text


def test_counts_agree_with_their_noun() -> None:
    """One is singular, everything else plural."""
    assert [count(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert count(2, "data source entry", "data source entries") == "2 data source entries"


def test_all_times_are_utc() -> None:
    """A time of any zone is converted to UTC, in every format."""
    moment = datetime(2026, 1, 31, 11, 30, 0, 941_000, tzinfo=timezone(timedelta(hours=2)))
    assert formats.iso(moment) == "2026-01-31T09:30:00.941Z"
    assert formats.date_time(moment) == "2026-01-31 09:30:00"
    assert formats.clock_time(moment) == "09:30:00"


def test_a_short_time_names_the_day_unless_it_is_today() -> None:
    """Times of today have seconds, times of other days the day, times of other years the year."""
    assert formats.short_date_time(NOW, NOW) == "12:00:00"
    assert formats.short_date_time(NOW - timedelta(days=1), NOW) == "30 Jan 12:00"
    assert formats.short_date_time(NOW - timedelta(days=365), NOW) == "31 Jan 2025 12:00"


def test_a_missing_time_is_a_dash_and_null() -> None:
    """A time that is not set is a dash for people and null in JSON."""
    assert (formats.date_time(None), formats.clock_time(None), formats.short_date_time(None, NOW)) == ("-", "-", "-")
    assert formats.iso(None) is None
