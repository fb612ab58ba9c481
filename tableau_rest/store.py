"""Where a signed-in session is kept so that threads, processes and machines share it."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
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


class FileSessions:
    """Keeps sessions in a directory, for all processes of one machine; for scripts that have no database.

    Files are readable by their owner only. The lock is the operating system's, so a killed process leaves none behind.
    """

    def __init__(self, directory: str | Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._directory = Path(directory)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_seconds = lock_seconds

    def load(self, key: str) -> bytes | None:
        try:
            return (self._directory / key).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, key: str, value: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self._directory, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(value)
            Path(name).replace(self._directory / key)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        with (self._directory / f"{key}.lock").open("wb") as file:
            self._wait_for(file.fileno())
            yield  # closing the file gives the lock back

    def _wait_for(self, handle: int) -> None:
        deadline = time.monotonic() + self._lock_seconds
        while True:
            try:
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has been signing in for {self._lock_seconds:g} s") from None
            time.sleep(0.02)
