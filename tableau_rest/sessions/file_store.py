"""Sessions shared through files, for scripts on one machine that have no database."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tableau_rest.sessions.store import LOCK_SECONDS

# Seconds between two attempts to take the lock.
_LOCK_INTERVAL = 0.02


class FileSessions:
    """Shares sessions between all processes of one machine, through files in a directory.

    Only their owner can read the files. The lock is the operating system's, so a killed process leaves none behind.
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
        deadline = time.monotonic() + self._lock_seconds
        with (self._directory / f"{key}.lock").open("wb") as file:
            while True:
                try:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        message = f"another process has been signing in for {self._lock_seconds:g} s"
                        raise TimeoutError(message) from None
                time.sleep(_LOCK_INTERVAL)
            yield  # closing the file releases the lock
