"""Test that calls stay below a limit, the most urgent first, whichever process makes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifiers.limits import Limit
from tests.support.databases import Clock
from webhooks.inbox import Inbox

# 0.8 of a call a second: one every 1.25 s.
LIMIT = Limit("channel", 1, 1.0)
START = 1_795_600_000.0
OPEN, CLOSE, ACKNOWLEDGE, COUNT = 0, 2, 3, 5


@pytest.fixture
def other(url: str, opened: Callable[..., Inbox], clock: Clock, box: Inbox) -> Inbox:
    """Return the same inbox as another process has it."""
    clock.seconds = START
    return opened(url, clock=clock)


def seconds(inbox: Inbox, rank: int, **given: bool) -> float:
    """Return how many seconds after START the call has to be tried again; 0 if it may be made."""
    again = inbox.budgets.take([LIMIT], rank=rank, **given)
    return again.timestamp() - START if again else 0


def test_second_call_waits_also_in_another_process(box: Inbox, other: Inbox, clock: Clock) -> None:
    """A limit counts the calls of all processes."""
    assert seconds(box, OPEN) == 0
    assert seconds(other, OPEN) == 1.25
    clock.forward(1.25)
    assert seconds(other, OPEN) == 0


def test_most_urgent_call_that_waits_is_next(box: Inbox, other: Inbox, clock: Clock) -> None:
    """As soon as the limit allows it, an opening goes before a closing, that before an acknowledgement and counts."""
    assert seconds(box, OPEN) == 0
    assert seconds(other, OPEN) == 1.25
    clock.forward(1.3)
    waiting = [(other, COUNT), (box, ACKNOWLEDGE), (other, CLOSE)]
    assert [seconds(one, rank) for one, rank in waiting] == [3.25] * 3
    assert seconds(other, OPEN) == 0
    order = []
    for _ in range(6):
        clock.forward(2)
        order += [rank for one, rank in waiting if rank not in order and not seconds(one, rank, spare=rank == COUNT)]
    assert order == [CLOSE, ACKNOWLEDGE, COUNT]


def test_call_that_never_comes_blocks_for_seconds(box: Inbox, other: Inbox, clock: Clock) -> None:
    """If a process dies while its opening waits, other calls are made two seconds later."""
    assert seconds(box, OPEN) == 0
    assert seconds(other, OPEN) == 1.25
    clock.forward(3.3)
    assert seconds(box, COUNT, spare=True) == 0


def test_refusal_counts_nothing(box: Inbox, clock: Clock, other: Inbox) -> None:
    """A call that is not made does not delay the next one."""
    assert seconds(box, OPEN) == 0
    assert {seconds(other, OPEN) for _ in range(20)} == {1.25}
    clock.forward(1.25)
    assert seconds(box, OPEN) == 0
