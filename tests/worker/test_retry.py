"""The retry schedule, by tables and with the clock as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.databases import some_event
from webhooks.errors import Permanent, RetryLater, StoreUnavailable
from webhooks.job import Job, JobState, NewJob
from webhooks.worker import retry

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
MAX_ATTEMPTS = NewJob("key", "handler").max_attempts


def seconds(error: BaseException, attempts: int = 1, *, chance: float = 0.0, unexpected: int = 1) -> float | None:
    """Return the seconds until the next attempt, or None for a dead job."""
    due_at = retry.next_attempt(
        error, attempts=attempts, max_attempts=MAX_ATTEMPTS, now=NOW, chance=chance, unexpected=unexpected
    )
    return None if due_at is None else (due_at - NOW).total_seconds()


def job(age: timedelta) -> Job:
    """Return a job of that age."""
    return Job(
        id=1,
        event=some_event(1),
        key="key",
        handler="handler",
        rule=None,
        params={},
        where={},
        state=JobState.RUNNING,
        attempts=1,
        max_attempts=MAX_ATTEMPTS,
        due_at=NOW,
        created_at=NOW - age,
    )


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(1, 1), (2, 5), (3, 30), (4, 180), (5, 900), (6, 1800), (7, 7200), (8, 7200), (19, 7200)],
)
def test_waits_grow_to_two_hours(attempts: int, longest: float) -> None:
    """Each wait is the table's, shortened by up to a tenth at random."""
    assert seconds(RetryLater("x"), attempts) == longest
    assert seconds(RetryLater("x"), attempts, chance=1.0) == pytest.approx(0.9 * longest)


def test_default_attempts_take_at_least_a_day() -> None:
    """Even with the shortest waits a job is retried for 24 h: an outage of a night loses no message."""
    waits = [seconds(RetryLater("x"), attempts, chance=1.0) for attempts in range(1, MAX_ATTEMPTS)]
    assert sum(wait for wait in waits if wait) >= 24 * 3600


@pytest.mark.parametrize(
    ("error", "attempts", "unexpected"),
    [(Permanent("x"), 1, 1), (RetryLater("x"), 20, 1), (KeyError("x"), 5, 5), (ValueError("x"), 20, 1)],
)
def test_dead_after_a_permanent_error_or_the_last_attempt(error: BaseException, attempts: int, unexpected: int) -> None:
    """A permanent error ends the job, as does the last attempt, or the fifth unexpected error."""
    assert seconds(error, attempts, unexpected=unexpected) is None


def test_expected_errors_do_not_count_as_unexpected() -> None:
    """An unexpected error after six attempts that failed as expected is the first of its kind."""
    assert seconds(KeyError("x"), 7, unexpected=1) is not None


def test_unavailable_store_is_expected() -> None:
    """One slow commit must not end a job that was retried during an outage of Tableau."""
    assert seconds(StoreUnavailable("x"), 10) is not None


def test_named_time_is_obeyed_and_spread() -> None:
    """Many jobs are asked to wait until the same time: none comes earlier, and not all come at once."""
    at = NOW + timedelta(seconds=60)
    assert seconds(RetryLater("x", at), chance=0.0) == 60
    assert seconds(RetryLater("x", at), chance=1.0) == 61


def test_spread_grows_to_four_minutes_and_not_with_the_waits() -> None:
    """A rate limit that asks for a short wait again and again does not lead to a wait of hours."""
    at = NOW + timedelta(seconds=5)
    assert [seconds(RetryLater("x", at), attempts, chance=1.0) for attempts in (1, 5, 9, 19)] == [6, 21, 261, 261]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOW - timedelta(hours=1), 0),
        (NOW + timedelta(days=4000), 86400),
        (datetime(2026, 1, 31, 9, 31), 60),  # noqa: DTZ001 - a mistake that a handler may make
    ],
)
def test_named_time_is_read_generously(at: datetime, expected: float) -> None:
    """A time in the past means now, one years away means a day, one without a zone means UTC."""
    assert seconds(RetryLater("x", at)) == expected


def test_requested_waits_cost_no_attempt_for_a_day() -> None:
    """A job that was only asked to wait keeps its attempts, until that has gone on for a day."""
    requested = RetryLater("x", NOW)
    assert retry.costs_no_attempt(requested, job=job(timedelta(hours=23)), now=NOW)
    assert not retry.costs_no_attempt(requested, job=job(timedelta(hours=25)), now=NOW)
    assert not retry.costs_no_attempt(RetryLater("x"), job=job(timedelta()), now=NOW)


def test_wait_for_a_limit_is_spread_as_asked() -> None:
    """Jobs that wait for a limit of a service come back soon after it, also after many waits."""
    waiting = RetryLater("limited", NOW + timedelta(seconds=10), spread=3.0)
    assert seconds(waiting, 9, chance=1.0) == 13
    assert seconds(RetryLater("limited", NOW + timedelta(seconds=10)), 9, chance=1.0) == 266
