"""A write that waits for its commit, without a database."""

from __future__ import annotations

import gc
import weakref

import pytest

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.pending_write import ByteLimit, PendingWrite


class Caller:
    """Refers to its write, as a request does that waits for it."""

    def __init__(self) -> None:
        self.calls = 0
        self.write: PendingWrite[int] = PendingWrite(lambda _: 1, 0.0, on_complete=self.called)

    def called(self) -> None:
        """Count the call."""
        self.calls += 1


@pytest.mark.parametrize("completed", [True, False])
def test_a_write_does_not_hold_its_caller(completed: bool) -> None:
    """It may be queued while the database is locked, with thousands of others whose senders were refused."""
    gc.disable()
    try:
        caller = Caller()
        write, gone = caller.write, weakref.ref(caller)
        if completed:
            write.result = 1
            write.complete()
            assert (write.outcome(), caller.calls) == (1, 1)
        else:
            with pytest.raises(StoreUnavailable):
                write.outcome()
            write.complete()
            assert caller.calls == 0
        del caller
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("taken", [False, True])
def test_a_refused_write_gives_up_its_values(taken: bool) -> None:
    """It may be queued for long; not while a thread writes them, which needs them all."""
    write = PendingWrite(lambda _: 1, 0.0, (b"fingerprint", "body"))
    assert not taken or write.take()
    with pytest.raises(StoreUnavailable):
        write.outcome()
    assert (write.row is not None) == taken
    write.give_back()
    assert write.row is None
    assert not write.take()


@pytest.mark.parametrize("completed", [True, False])
def test_only_so_many_bytes_wait(completed: bool) -> None:
    """Writes that are complete or not wanted any more make room, once; those that store no event are not counted."""
    limit = ByteLimit(100)
    first, second, third, large = (PendingWrite(lambda _: 1, 0.0, (b"", "x" * size)) for size in (60, 40, 1, 99))
    assert limit.admit(first)
    assert limit.admit(second)
    assert not limit.admit(third)
    assert limit.admit(PendingWrite(lambda _: 1, 0.0))
    if completed:
        first.fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError if completed else StoreUnavailable):
        first.outcome()
    if not completed:
        first.complete()
    assert not limit.admit(large)
    assert limit.admit(third)
    assert not limit.has_fallen(100)
    for write in (second, third):
        write.complete()
    assert [limit.has_fallen(101), limit.has_fallen(100), limit.has_fallen(100)] == [False, True, False]
    assert limit.admit(large)


def test_an_error_of_the_caller_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """The thread that commits has other writes to complete, and later ones to store."""

    def fail() -> None:
        raise ZeroDivisionError

    write = PendingWrite(lambda _: 1, 0.0, on_complete=fail)
    write.result = 1
    write.complete()
    assert write.outcome() == 1
    assert "ZeroDivisionError" in caplog.text
