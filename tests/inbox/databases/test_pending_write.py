"""A write that waits for its commit, without a database."""

from __future__ import annotations

import gc
import weakref

import pytest

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.pending_write import PendingWrite


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


def test_an_error_of_the_caller_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """The thread that commits has other writes to complete, and later ones to store."""

    def fail() -> None:
        raise ZeroDivisionError

    write = PendingWrite(lambda _: 1, 0.0, on_complete=fail)
    write.result = 1
    write.complete()
    assert write.outcome() == 1
    assert "ZeroDivisionError" in caplog.text
