"""The files of a SQLite inbox: create them, and notice when another program removes, replaces or overwrites them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from webhooks.errors import StoreUnavailable
from webhooks.forks import Lock
from webhooks.inbox.databases.known_database import KnownDatabase
from webhooks.inbox.databases.sqlite_use import SQLITE
from webhooks.inbox.databases.wal_index import Checkpoint, read_index

# SQLite has no way to notice that its open files are no longer those at the path, https://www.sqlite.org/howtocorrupt.html
ADVICE = (
    "Events are refused until this is repaired: stop the server, restore the inbox (docs/howto/backup.md), and start "
    "the server again"
)
# To wait for writers other than this server, such as a shell; the server's own writers wait in a queue.
BUSY_SECONDS = 1.5
# The write-ahead log and its index belong to the database as long as one connection is open.
SUFFIXES = ("", "-wal", "-shm")
# https://www.sqlite.org/fileformat2.html#the_database_header
DATABASE_HEADER_BYTES = 100
# The column survives the deletion of events, https://www.sqlite.org/autoinc.html
NEWEST = "SELECT max(seq) FROM sqlite_sequence WHERE name = 'events'"

# Bytes that a connection locks as long as it is open, with their length and start: of the database, and of the index.
# https://www.sqlite.org/fileformat2.html#the_lock_byte_page, https://www.sqlite.org/walformat.html#wal_locks
DATABASE_LOCK = (510, 0x40000002)
INDEX_LOCK = (1, 128)

Identity = tuple[int, int]


class SqliteFiles:
    """The database at `path` with its write-ahead log.

    `watch` holds one connection until `close`. While it is open SQLite never removes the log, so a log that is missing
    or another one was removed by another program. `known` is what other processes of the same server know. `forked` is
    whether the process has inherited connections to the database.
    """

    def __init__(self, path: Path, known: KnownDatabase | None = None, *, forked: bool = False) -> None:
        self._path = path
        self._forked = forked
        self._known = known or KnownDatabase()
        self._files = [f"{path}{suffix}" for suffix in SUFFIXES]
        self._identities: list[Identity] = []
        self._size = 0
        self._damage = ""
        self._checking = threading.Lock()
        # When the database was last written, the checkpoint that did it, and the header that this left.
        self._written_at = 0
        self._checkpoint: Checkpoint | None = None
        self._header = b""
        self._database_file = self._index_file = -1
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

    def require_unchanged(self) -> None:
        """Raise StoreUnavailable unless the files are those that are known, before the first connection."""
        with suppress(FileNotFoundError):
            log_size = os.stat(self._files[1]).st_size  # noqa: PTH116 - as below
            # SQLite would delete the log, in which events may be.
            if log_size and not (self._path.exists() and self._path.stat().st_size):
                raise StoreUnavailable(
                    f"{self._path} was removed or emptied, but its {self._files[1]} is still there. {ADVICE}"
                )
        known = len(self._files) if self._known.held_by_others else 1
        for file, inode in list(zip(self._files, self._known.files, strict=True))[:known]:
            if inode:
                _require_identity(file, inode)

    def watch(self) -> None:
        """Remember which files are open now. Raises StoreUnavailable or OSError."""
        # Before the query: other processes store events meanwhile.
        known = self._known.newest
        address = uri(self._path, create=False)
        anchor = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            # A copy made by VACUUM INTO has no log yet; the first query opens it.
            anchor.execute("PRAGMA journal_mode=WAL").fetchall()
            ((newest,),) = anchor.execute(NEWEST).fetchall()
            self.require_unchanged()
            self._require_newest(newest or 0, known)
            self._identities = [_identity(Path(file).stat()) for file in self._files]
            self._size = self._path.stat().st_size
            self._index_file = open_shared(self._files[2])
            self._database_file = open_shared(self._files[0])
            if self._forked:
                # SQLite believes that this process has the locks of its parent. Without them, another process that
                # closes the database would remove the log.
                fcntl.lockf(self._database_file, fcntl.LOCK_SH | fcntl.LOCK_NB, *DATABASE_LOCK)
                fcntl.lockf(self._index_file, fcntl.LOCK_SH | fcntl.LOCK_NB, *INDEX_LOCK)
            self._remember_state()
        except sqlite3.Error as error:
            anchor.close()
            advice = "" if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY else f". {ADVICE}"
            raise StoreUnavailable(f"{self._path} cannot be used: {error}{advice}") from error
        except BaseException:
            anchor.close()
            raise
        self.anchor = anchor
        self._known.newest = max(newest or 0, self._known.newest)
        self._known.exists = True
        database, log, index = (inode for _, inode in self._identities)
        self._known.files = (database, log, index)
        self._known.hold()

    def verify(self) -> None:
        """Raise StoreUnavailable unless the files at the path are those that are open. Takes some microseconds."""
        if self._damage:
            raise StoreUnavailable(self._damage)
        if self._known.damaged:
            raise StoreUnavailable(f"{self._path} was changed by another program while the server runs. {ADVICE}")
        if self.anchor is None:
            return
        files = zip(self._files, self._identities, strict=True)
        database, log, _ = [_require_identity(file, identity) for file, identity in files]
        self._verify_size(database.st_size)
        # The index is read after the status: what it does not explain was not done by SQLite.
        index = read_index(self._index_file)
        if index is None:
            return
        if log.st_size < index.log_bytes:
            self._verify_log_size()
        if database.st_mtime_ns != self._written_at or index.checkpoint != self._checkpoint:
            self._verify_written()

    @property
    def log(self) -> Path:
        """The path of the write-ahead log."""
        return Path(self._files[1])

    @property
    def newest(self) -> int:
        """The id of the newest event that is known; the next one has a greater id."""
        return self._known.newest

    def record(self, event_ids: Sequence[int], known: int) -> None:
        """Record new events, just committed and in order; `known` is what was the newest before.

        Raises StoreUnavailable if an older copy was restored, so that their ids are not greater.
        """
        if not event_ids:
            return
        self._require_newest(event_ids[0] - 1, known)
        self._known.newest = event_ids[-1]

    def close(self) -> None:
        """Close the connection."""
        if self.anchor is None:
            return
        # The last process that closes the database removes the log.
        self._known.release()
        with SQLITE:
            self.anchor.close()
        self.anchor = None
        close_shared(self._database_file)
        close_shared(self._index_file)

    def _require_newest(self, newest: int, known: int) -> None:
        if newest < known:
            raise self._damaged(f"{self._path} was replaced by an older copy while the server runs. {ADVICE}")

    def _damaged(self, reason: str) -> StoreUnavailable:
        """Return the error, and raise it from now on in all processes of this server."""
        self._damage = reason
        self._known.damaged = True
        return StoreUnavailable(reason)

    def _verify_size(self, size: int) -> None:
        """Distinguish a truncated file from one with returned free pages: all its pages are in the file or the log."""
        shrunk, self._size = size < self._size or size == 0, size
        if not shrunk or self.anchor is None:
            return
        complete = False
        with suppress(sqlite3.Error), SQLITE:
            ((page_size,),) = self.anchor.execute("PRAGMA page_size").fetchall()
            ((pages,),) = self.anchor.execute("PRAGMA page_count").fetchall()
            # After new pages were written to the log, only reading all of them shows whether one is missing.
            complete = size > 0 and (
                size >= pages * page_size or self.anchor.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
            )
        if not complete:
            raise self._damaged(f"{self._path} was truncated while the server runs. {ADVICE}")

    def _verify_log_size(self) -> None:
        """Distinguish a truncated log from one that has grown, or was restarted, between two looks."""
        index = read_index(self._index_file)
        size = os.stat(self._files[1]).st_size  # noqa: PTH116 - as below
        if index and size < index.log_bytes and index == read_index(self._index_file):
            raise self._damaged(f"{self._files[1]} was truncated while the server runs. {ADVICE}")

    def _verify_written(self) -> None:
        """Notice a copy that was written over the database.

        In WAL mode only a checkpoint writes into the database, and it leaves a trace in the log's index before and
        after it does. Written without a checkpoint, the file must still have its header and all events, as after
        `touch`.
        """
        with self._checking:
            written_at = os.fstat(self._database_file).st_mtime_ns
            index = read_index(self._index_file)
            if index is None:
                return
            by_a_checkpoint = index.checkpoint != self._checkpoint or not index.idle
            if written_at != self._written_at and not by_a_checkpoint and not self._has_its_content():
                raise self._damaged(f"{self._path} was overwritten while the server runs. {ADVICE}")
            self._remember_state()

    def _remember_state(self) -> None:
        """Remember the checkpoint first: the time and the header must not be older than it."""
        index = read_index(self._index_file)
        self._checkpoint = index.checkpoint if index else None
        self._written_at = os.fstat(self._database_file).st_mtime_ns
        self._header = os.pread(self._database_file, DATABASE_HEADER_BYTES, 0)

    def _has_its_content(self) -> bool:
        """Return whether the file has its header, all events and no inconsistency. Reads the whole file."""
        if os.pread(self._database_file, DATABASE_HEADER_BYTES, 0) != self._header:
            return False
        known = self._known.newest
        with (
            suppress(sqlite3.Error),
            SQLITE,
            closing(sqlite3.connect(uri(self._path, create=False), uri=True)) as connection,
        ):
            ((newest,),) = connection.execute(NEWEST).fetchall()
            whole = connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
            return whole and (newest or 0) >= known
        return False


# The open files of all inboxes in this process: descriptor and number of users. To close one would release the locks
# that SQLite holds on the same file for another inbox, https://www.sqlite.org/howtocorrupt.html
_shared: dict[Identity, list[int]] = {}
_sharing = Lock()


def open_shared(file: str) -> int:
    """Return a descriptor for reading the file, the same one for all users in this process."""
    with _sharing:
        identity = _identity(Path(file).stat())
        if identity not in _shared:
            _shared[identity] = [os.open(file, os.O_RDONLY), 0]
        _shared[identity][1] += 1
        return _shared[identity][0]


def close_shared(descriptor: int) -> None:
    """Close the descriptor if this was its last user."""
    with _sharing:
        identity = _identity(os.fstat(descriptor))
        _shared[identity][1] -= 1
        if not _shared[identity][1]:
            del _shared[identity]
            os.close(descriptor)


def uri(path: Path, *, create: bool) -> str:
    """Return the address for sqlite3.connect, which without `create` fails if there is no file."""
    return f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}"


def _require_identity(file: str, identity: Identity | int) -> os.stat_result:
    """Return the file's status. Raises StoreUnavailable unless it has this identity, or this inode."""
    try:
        status = os.stat(file)  # noqa: PTH116 - in half the time of Path.stat
    except FileNotFoundError:
        raise StoreUnavailable(f"{file} was removed while the server runs. {ADVICE}") from None
    if identity not in (_identity(status), status.st_ino):
        raise StoreUnavailable(f"{file} was replaced while the server runs. {ADVICE}")
    return status


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
