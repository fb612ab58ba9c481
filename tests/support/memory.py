"""A folder in memory for what tests write, so that they do not wait for the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FOLDER = Path("/dev/shm")
# Free bytes for each processor: a PostgreSQL server, and the files of the tests that run or have failed.
NEEDED = 1 << 29


def memory() -> Path | None:
    """Return a folder in memory; None if there is none with enough room in which programs may be run."""
    if not os.access(FOLDER, os.W_OK) or os.statvfs(FOLDER).f_flag & os.ST_NOEXEC:
        return None
    return FOLDER if shutil.disk_usage(FOLDER).free >= NEEDED * (os.cpu_count() or 1) else None
