"""The files of a SQLite inbox: create them, and notice when another program removes, replaces or truncates them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from webhooks.errors import StoreUnavailable

# SQLite has no way to notice that its open files are no longer those at the path, https://www.sqlite.org/howtocorrupt.html
ADVICE = (
    "Events are refused until this is repaired: stop the server, restore the inbox (docs/howto/backup.md), and start "
    "the server again"
)
# The write-ahead log and its index belong to the database as long as one connection is open.
SUFFIXES = ("", "-wal", "-shm")

Identity = tuple[int, int]


class SqliteFiles:
    """The database at `path` with its write-ahead log.

    `watch` holds one connection until `close`. While it is open SQLite never removes the log, so a log that is missing
    or another one was removed by another program.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = [f"{path}{suffix}" for suffix in SUFFIXES]
        self._identities: list[Identity] = []
        self._size = 0
        self._damage = ""
        self.anchor: sqlite3.Connection | None = None

    def create(self) -> None:
        """Create the folder and the database's file, unless they exist, for this user only.

        SQLite gives the log and its index the mode of the database. The lock file is private as well, because
        every process that can read it can hold the lock.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only a new file is opened and closed here: closing one that SQLite has open would release SQLite's locks,
        # https://www.sqlite.org/howtocorrupt.html
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def watch(self) -> None:
        """Remember which files are open now. Raises sqlite3.Error or OSError."""
        anchor = sqlite3.connect(uri(self._path, create=False), uri=True, check_same_thread=False)
        try:
            # A copy made by VACUUM INTO has no log yet; the first query opens it.
            anchor.execute("PRAGMA journal_mode=WAL").fetchall()
            anchor.execute("SELECT count(*) FROM sqlite_master").fetchall()
            self._identities = [_identity(Path(file).stat()) for file in self._files]
            self._size = self._path.stat().st_size
        except BaseException:
            anchor.close()
            raise
        self.anchor = anchor

    def verify(self) -> None:
        """Raise StoreUnavailable unless the files at the path are those that are open. Takes some microseconds."""
        if self._damage:
            raise StoreUnavailable(self._damage)
        for file, identity in zip(self._files, self._identities, strict=True):
            try:
                status = os.stat(file)  # noqa: PTH116 - in half the time of Path.stat
            except FileNotFoundError:
                raise StoreUnavailable(f"{file} was removed while the server runs. {ADVICE}") from None
            if _identity(status) != identity:
                raise StoreUnavailable(f"{file} was replaced while the server runs. {ADVICE}")
            if file is self._files[0]:
                self._verify_size(status.st_size)

    def close(self) -> None:
        """Close the connection."""
        if self.anchor is not None:
            self.anchor.close()

    def _verify_size(self, size: int) -> None:
        """Distinguish a truncated file from one with returned free pages: all its pages are in the file or the log."""
        shrunk, self._size = size < self._size or size == 0, size
        if not shrunk or self.anchor is None:
            return
        complete = False
        with suppress(sqlite3.Error):
            ((page_size,),) = self.anchor.execute("PRAGMA page_size").fetchall()
            ((pages,),) = self.anchor.execute("PRAGMA page_count").fetchall()
            # After new pages were written to the log, only reading all of them shows whether one is missing.
            complete = size > 0 and (
                size >= pages * page_size or self.anchor.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
            )
        if not complete:
            self._damage = f"{self._path} was truncated while the server runs. {ADVICE}"
            raise StoreUnavailable(self._damage)


def uri(path: Path, *, create: bool) -> str:
    """Return the address for sqlite3.connect, which without `create` fails if there is no file."""
    return f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}"


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
