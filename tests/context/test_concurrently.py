"""Functions in threads of their own."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from webhooks.context.concurrently import concurrently

NAME: ContextVar[str] = ContextVar("NAME")


def test_function_runs_meanwhile_with_the_callers_context() -> None:
    """It has ended when the block ends, in a thread for which no ending process waits."""
    entered, left = threading.Event(), threading.Event()
    NAME.set("of the caller")

    def function() -> tuple[str, bool]:
        entered.set()
        assert left.wait(30)
        return NAME.get(), threading.current_thread().daemon

    with concurrently(function) as future:
        assert entered.wait(30)
        assert not future.done()
        left.set()
    assert future.done()
    assert future.result() == ("of the caller", True)


def test_errors_are_raised_where_they_matter() -> None:
    """The function's where its result is asked for, the caller's at once but after the function's end."""
    with concurrently(lambda: 1 // 0) as future:
        pass
    with pytest.raises(ZeroDivisionError):
        future.result()
    with pytest.raises(KeyError), concurrently(lambda: 1) as future:
        raise KeyError
    assert future.result() == 1
