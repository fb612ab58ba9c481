"""Where a signed-in session is kept so that threads, processes and machines share it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

LOCK_SECONDS = 90.0  # longer than the slowest sign-in the door allows


class SessionStore(Protocol):
    """Three small operations; values are encrypted before they come here, keys hold no secret."""

    def load(self, key: str) -> bytes | None:
        """What was saved last under the key, or None."""
        ...

    def save(self, key: str, value: bytes) -> None:
        """Keep the value under the key; whoever loads afterwards sees it."""
        ...

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Exclusive over everybody who shares the store. Waits, and raises TimeoutError rather than wait for ever."""
        ...


class MemorySessions:
    """Keeps sessions in this process, for all its threads."""

    def __init__(self, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._values: dict[str, bytes] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock_seconds = lock_seconds

    def load(self, key: str) -> bytes | None:
        return self._values.get(key)

    def save(self, key: str, value: bytes) -> None:
        self._values[key] = value

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=self._lock_seconds):
            raise TimeoutError(f"another thread has been signing in for {self._lock_seconds:g} s")
        try:
            yield
        finally:
            lock.release()
