"""Test the counts of what is limited per hour, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.support.databases import Clock
from webhooks.inbox import Inbox
from webhooks.inbox.limits.quotas import PERIOD_SECONDS


def test_quota_ends_at_the_limit_and_begins_again(box: Inbox, clock: Clock) -> None:
    """In an hour as many as the limit are taken; keys are counted apart."""
    assert [box.quotas.take("a", 2) for _ in range(4)] == [True, True, False, False]
    assert box.quotas.take("b", 2)
    clock.forward(PERIOD_SECONDS - 1)
    assert not box.quotas.take("a", 2)
    clock.forward(1)
    assert box.quotas.take("a", 2)


def test_amounts_are_counted(box: Inbox) -> None:
    """An amount that would exceed the limit is refused and not counted; a smaller one may fit."""
    assert [box.quotas.take("a", 5, amount) for amount in (3, 3, 2, 1)] == [True, False, True, False]
    box.quotas.give_back("a", 2)
    assert [box.quotas.take("a", 5, amount) for amount in (3, 2)] == [False, True]


def test_given_back_is_not_counted(box: Inbox) -> None:
    """A unit that was taken and not used is available again, once."""
    assert box.quotas.take("a", 1)
    box.quotas.give_back("a")
    box.quotas.give_back("a")
    assert [box.quotas.take("a", 1) for _ in range(2)] == [True, False]


def test_clock_that_was_ahead_does_not_lock_the_quota(box: Inbox, clock: Clock) -> None:
    """A period that begins in the future is replaced."""
    clock.forward(1_000_000)
    assert box.quotas.take("a", 1)
    clock.forward(-1_000_000)
    assert box.quotas.take("a", 1)


def test_processes_share_the_count(url: str, opened: Callable[..., Inbox]) -> None:
    """Two inboxes on one database, as in two processes, take no more than the limit together."""
    boxes = [opened(url), opened(url)]
    assert boxes[0].quotas.take("a", 20)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: boxes[number % 2].quotas.take("a", 20), range(40)))
    assert sum(taken) == 19
