"""Read SQLite's index of the write-ahead log: how much of the log is valid, and how far a checkpoint has got."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

# https://www.sqlite.org/walformat.html#the_wal_index_header
HEADER = struct.Struct("=IIIBBHII8s8s8s")
CHECKPOINT = struct.Struct("=I20x8xI4x")
HEADER_COPIES = 2
VERSION = 3007000
LOG_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
LARGEST_PAGE = 65536

# The log's salt, and the frames of it that a checkpoint began and completed to move.
Checkpoint = tuple[bytes, int, int]


@dataclass(frozen=True, slots=True)
class WalIndex:
    """The header of the index.

    `frames` of the log are committed; `attempted` and `backfilled` count those that the last checkpoint began and
    completed to write into the database. `salt` changes when the log is restarted.
    """

    frames: int
    page_size: int
    salt: bytes
    attempted: int
    backfilled: int

    @property
    def checkpoint(self) -> Checkpoint:
        """Return a value that changes whenever a checkpoint has written into the database."""
        return self.salt, self.attempted, self.backfilled

    @property
    def idle(self) -> bool:
        """Return whether no checkpoint is running. One whose process was killed counts as running until the next."""
        return self.attempted == self.backfilled

    @property
    def log_bytes(self) -> int:
        """Return the size that the log has at least."""
        return LOG_HEADER_BYTES + self.frames * (FRAME_HEADER_BYTES + self.page_size) if self.frames else 0


def read_index(descriptor: int) -> WalIndex | None:
    """Return the index in the open `-shm` file; None while it is written, and for an unknown format."""
    data = os.pread(descriptor, HEADER_COPIES * HEADER.size + CHECKPOINT.size, 0)
    header, copy, rest = data[: HEADER.size], data[HEADER.size : 2 * HEADER.size], data[2 * HEADER.size :]
    if len(rest) < CHECKPOINT.size or header != copy:
        return None
    version, _, _, initialized, _, page_size, frames, _, _, salt, _ = HEADER.unpack(header)
    if version != VERSION or not initialized:
        return None
    backfilled, attempted = CHECKPOINT.unpack(rest)
    return WalIndex(frames, LARGEST_PAGE if page_size == 1 else page_size, salt, attempted, backfilled)
