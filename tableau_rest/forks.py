"""Locks and connections in a forked process, whose other threads do not exist."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType
from weakref import WeakMethod, WeakSet

_locks: WeakSet[Lock] = WeakSet()
_calls: list[WeakMethod[Callable[[], None]]] = []


class Lock:
    """A lock that is free in a forked process: the thread that held it does not exist there."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.add(self)

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for at most `timeout` seconds, or without end, and return whether the lock is acquired."""
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Replace the lock of the parent process."""
        self._lock = threading.Lock()


def call_in_child(method: Callable[[], None]) -> None:
    """Call a method in each forked process, as long as its object exists."""
    # Few objects are added, each for as long as a server runs.
    _calls[:] = [one for one in _calls if one() is not None]
    _calls.append(WeakMethod(method))


def _after_fork() -> None:
    for lock in list(_locks):
        lock.renew()
    for call in _calls:
        if (method := call()) is not None:
            method()


os.register_at_fork(after_in_child=_after_fork)
