"""Run a function in a thread of its own while the caller does something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def concurrently(function: Callable[[], T]) -> Iterator[Future[T]]:
    """Run the function in a thread, give its future, and wait for its end; log lines have the ids of the caller's.

    An executor is not used: the end of the process would wait for its thread, also while a request hangs.
    """
    future: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(function))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    thread = Thread(target=run, name="look-up", daemon=True)
    thread.start()
    try:
        yield future
    finally:
        thread.join()
