"""When to try again: pure arithmetic with the clock as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhooks import retry
from webhooks.errors import Permanent, RetryLater, StoreUnavailable

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def seconds(error: BaseException, attempts: int = 1, chance: float = 1.0, most: int = 20) -> float | None:
    due = retry.next_attempt(error, attempts=attempts, max_attempts=most, now=NOW, chance=chance, surprises=attempts)
    return None if due is None else (due - NOW).total_seconds()


@pytest.mark.parametrize(
    ("attempts", "least", "longest"), [(1, 0.5, 1), (2, 1, 2), (5, 8, 16), (11, 450, 900), (19, 450, 900)]
)
def test_back_off_doubles_up_to_a_quarter_of_an_hour(attempts: int, least: float, longest: float) -> None:
    """Waits double from one second, are spread by half, and never exceed fifteen minutes."""
    assert seconds(RetryLater("x"), attempts, 0.0) == least
    assert seconds(RetryLater("x"), attempts, 1.0) == longest


@pytest.mark.parametrize(
    ("error", "attempts"), [(Permanent("x"), 1), (RetryLater("x"), 20), (KeyError("x"), 5), (ValueError("x"), 19)]
)
def test_dead_when_final_or_used_up(error: BaseException, attempts: int) -> None:
    """A final error, the last attempt, or the fifth of an error that nobody foresaw."""
    assert seconds(error, attempts) is None


def test_named_time_is_obeyed_and_spread() -> None:
    """Everybody was told the same time, so nobody comes back before it and not all at it."""
    at = NOW + timedelta(seconds=60)
    assert seconds(RetryLater("x", at), chance=0.0) == pytest.approx(60.25)
    assert seconds(RetryLater("x", at), chance=1.0) == pytest.approx(60.5)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOW - timedelta(hours=1), 0.5),
        (NOW + timedelta(days=4000), 86400.5),
        (datetime(2026, 1, 31, 9, 31), 60.5),  # noqa: DTZ001 — a handler's own mistake
    ],
)
def test_named_time_past_far_or_without_zone_is_read_kindly(at: datetime, expected: float) -> None:
    """A time that has passed means now, one years away means a day, one without a zone means UTC."""
    assert seconds(RetryLater("x", at)) == pytest.approx(expected)


def test_waiting_as_told_costs_nothing_for_a_day() -> None:
    """A job that was only told to wait keeps its attempts, until that has gone on for a day."""
    told = RetryLater("x", NOW)
    assert retry.costs_no_attempt(told, created_at=NOW - timedelta(hours=23), now=NOW)
    assert not retry.costs_no_attempt(told, created_at=NOW - timedelta(hours=25), now=NOW)
    assert not retry.costs_no_attempt(RetryLater("x"), created_at=NOW, now=NOW)


def test_outage_before_does_not_count_as_surprise() -> None:
    """An error that nobody foresaw, after six tries that failed as foreseen, is the first of its kind."""
    due = retry.next_attempt(KeyError("x"), attempts=7, max_attempts=20, now=NOW, chance=1.0, surprises=1)
    assert due is not None


def test_store_that_is_away_is_no_surprise() -> None:
    """One slow commit must not end a job whose patience for Tableau has been used."""
    assert seconds(StoreUnavailable("x"), attempts=10) is not None
