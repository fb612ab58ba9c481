"""Watch the rules file of this server: by its content, so that any way of replacing it is noticed."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from webhooks.rules.errors import RulesError
from webhooks.rules.source import RulesSource, read_source

log = logging.getLogger(__name__)

# Seconds between two readings. Times and notifications of changes are not used: network file systems, and symbolic
# links that are swapped, have none that can be relied on.
LOOK_SECONDS = 1.0
# Seconds after which a changed file is read again: an editor may still be writing.
SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FileState:
    """The content of the file at one time: its texts, or the error if it cannot be read or is invalid."""

    source: RulesSource | None = None
    error: RulesError | None = None

    @property
    def mark(self) -> str:
        """The hash of the content, or the error of a file that cannot be read."""
        if self.source is None:
            return f"unreadable: {self.error}"
        source = self.source
        return hashlib.sha256(repr((source.text, sorted(source.included.items()), source.missing)).encode()).hexdigest()


class RulesFile:
    """The file at `path` with all that it includes; `check` raises RulesError for an invalid one. Thread-safe.

    A change counts once two readings in a row have found the same, so that a file that is being written is not taken
    for a shorter one.
    """

    def __init__(self, path: Path, check: Callable[[RulesSource], object]) -> None:
        self._path, self._check = path, check
        self._lock = threading.Lock()
        self._state: FileState | None = None
        self._unsettled = ""
        self._watched = False

    def current(self) -> FileState:
        """Return the state as last noticed by `watch`, or read the file now if it is not watched."""
        with self._lock:
            state = self._state
        return state if state is not None and self._watched else self.read()

    def read(self) -> FileState:
        """Read and check the file now, and return its state. An unchanged one is not checked again."""
        found = self._read()
        with self._lock:
            if self._state is None or self._state.mark != found.mark:
                self._state, self._unsettled = self._checked(found), ""
            return self._state

    def look(self) -> bool:
        """Read the file, and return whether it has changed and is complete; `current` has the new state then."""
        found = self._read()
        with self._lock:
            if self._state is not None and found.mark == self._state.mark:
                self._unsettled = ""
                return False
            settled, self._unsettled = found.mark == self._unsettled, found.mark
            if settled:
                self._state, self._unsettled = self._checked(found), ""
            return settled

    def watch(self, stopping: threading.Event, changed: Callable[[FileState], None]) -> None:
        """Call `changed` with each new state, until `stopping` is set. A file system that hangs delays nothing else."""
        self._watched = True
        try:
            while not stopping.wait(SETTLE_SECONDS if self._unsettled else LOOK_SECONDS):
                try:
                    if self.look():
                        changed(self.current())
                except Exception:
                    log.exception("Rules file cannot be watched, trying again")
        finally:
            self._watched = False

    def _read(self) -> FileState:
        try:
            return FileState(read_source(self._path))
        except RulesError as error:
            return FileState(error=error)

    def _checked(self, found: FileState) -> FileState:
        if found.source is None:
            return found
        try:
            self._check(found.source)
        except RulesError as error:
            return FileState(found.source, error)
        return found
