"""Test the named locks that let one of many processes do a task."""

from __future__ import annotations

from tests.support.databases import Clock
from webhooks.inbox import Inbox


def test_one_owner_holds_a_lock(inbox: Inbox) -> None:
    """The owner extends the lock by acquiring it again; others get it once it is released."""
    assert inbox.locks.acquire("monitor", "a", 60)
    assert not inbox.locks.acquire("monitor", "b", 60)
    assert inbox.locks.acquire("monitor", "a", 60)
    assert inbox.locks.acquire("another task", "b", 60)
    inbox.locks.release("monitor", "b")
    assert not inbox.locks.acquire("monitor", "b", 60)
    inbox.locks.release("monitor", "a")
    assert inbox.locks.acquire("monitor", "b", 60)


def test_lock_of_a_crashed_owner_expires(box: Inbox, clock: Clock) -> None:
    """A lock that is not extended is free after its time."""
    assert box.locks.acquire("monitor", "a", 60)
    clock.forward(59)
    assert not box.locks.acquire("monitor", "b", 60)
    clock.forward(2)
    assert box.locks.acquire("monitor", "b", 60)
