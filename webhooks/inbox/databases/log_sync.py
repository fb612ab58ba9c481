"""Write SQLite's log to disk after a commit, so that other processes can commit meanwhile."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from webhooks.errors import StoreUnavailable

log = logging.getLogger(__name__)

# The call that SQLite uses, too; macOS has no fdatasync, https://sqlite.org/src/file?name=src/os_unix.c
_sync = getattr(os, "fdatasync", os.fsync)
FAILED = b"A sync of the log failed; this is emptied when a checkpoint has succeeded.\n"


class LogSync:
    """The write-ahead log at `path`, open in order to sync it.

    A connection with `synchronous=NORMAL` commits without `fsync`, https://sqlite.org/pragma.html#pragma_synchronous,
    and `sync` then does what FULL does within the commit. When it returns, everything is on disk that any process
    committed before, including what this process's transaction has read:

    - All commits are in one file in their order, and the sync is one of the whole file.
    - If another process has moved them into the database meanwhile, and perhaps restarted the log, it has synced both
      files in between, https://sqlite.org/wal.html#performance_considerations. It syncs the header of a restarted log
      as well, before it writes the first commit behind it.

    After a failed sync the system may regard what it could not write as written, so that the next sync succeeds without
    it, https://wiki.postgresql.org/wiki/Fsync_Errors. Therefore `sync` writes into the lock file, which all processes
    have in common, and raises an error in all of them until `repair` has moved the log into the database. A process
    that syncs at that very moment gets the error from its own descriptor, which was open before,
    https://docs.kernel.org/filesystems/vfs.html#handling-errors-during-writeback.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._failed = False

    def open(self) -> None:
        """Open the log unless it is open. Must come before the first commit: see above. Raises OSError."""
        if self._descriptor < 0:
            # SQLite has no locks on the log, so its descriptors may be closed, https://sqlite.org/walformat.html#wal_locks
            self._descriptor = os.open(self._path, os.O_RDONLY)
            # The log may be new. Not all systems can sync a folder, and SQLite ignores such an error, too.
            with suppress(OSError):
                _sync_folder(self._path.parent)

    def failed(self, lock: TextIO) -> bool:
        """Return whether a sync by any process has failed and the log was not repaired since."""
        return self._failed or os.fstat(lock.fileno()).st_size > 0

    def sync(self, lock: TextIO) -> None:
        """Write all that is committed to disk. Raises StoreUnavailable."""
        try:
            _sync(self._descriptor)
        except OSError as error:
            self._failed = True
            _mark_failed(lock)
            raise StoreUnavailable(f"{self._path} could not be written to disk: {error}") from error
        if self.failed(lock):
            raise StoreUnavailable(f"{self._path} could not be written to disk by another process")

    def repair(self, lock: TextIO, driver: Any) -> None:
        """Move the log into the database and empty it, while the lock is held. Raises StoreUnavailable.

        SQLite syncs the database before it empties the log, https://sqlite.org/pragma.html#pragma_wal_checkpoint.
        """
        ((busy, _, _),) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise StoreUnavailable(f"{self._path} could not be written to disk, and is in use")
        # Else a part of the old log might come back after a power failure, and replace newer pages.
        os.fsync(self._descriptor)
        self._failed = False
        os.ftruncate(lock.fileno(), 0)
        log.warning("Write-ahead log repaired after a failed sync: %s", self._path)

    def close(self) -> None:
        """Close the log, if it is open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _mark_failed(lock: TextIO) -> None:
    try:
        os.write(lock.fileno(), FAILED)
    except OSError:
        # A full disk: only the size matters, and a hole needs no space. Processes that had the log open get the error
        # from their own descriptors anyway.
        with suppress(OSError):
            os.ftruncate(lock.fileno(), 1)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
