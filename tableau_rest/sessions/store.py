"""Stores in which threads, processes and machines share a signed-in session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from tableau_rest.forks import Lock

# Seconds to wait for another sign-in; longer than the slowest one, see LAST_STEP in sign_in.py.
LOCK_SECONDS = 90.0


class SessionStore(Protocol):
    """A store of encrypted sessions. Keys contain no secret."""

    def load(self, key: str) -> bytes | None:
        """Return the value last saved under the key, or None."""
        ...

    def save(self, key: str, value: bytes) -> None:
        """Store the value under the key, so that every later `load` returns it."""
        ...

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Return a lock that excludes all others who share the store. Raises TimeoutError after a limited wait."""
        ...


class MemorySessions:
    """Shares sessions between all threads of this process."""

    def __init__(self, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._values: dict[str, bytes] = {}
        self._locks: dict[str, Lock] = {}
        self._lock_seconds = lock_seconds

    def load(self, key: str) -> bytes | None:
        return self._values.get(key)

    def save(self, key: str, value: bytes) -> None:
        self._values[key] = value

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        lock = self._locks.setdefault(key, Lock())
        if not lock.acquire(timeout=self._lock_seconds):
            raise TimeoutError(f"another thread has been signing in for {self._lock_seconds:g} s")
        try:
            yield
        finally:
            lock.release()
