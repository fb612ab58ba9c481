"""Sessions kept in files: for scripts of one machine that have no database to share."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tableau_rest.sessions.store import LOCK_SECONDS

_BETWEEN_TRIES = 0.02  # seconds


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
            time.sleep(_BETWEEN_TRIES)
