"""The demo's settings in a file for the commands of a second terminal, valid while the demo holds its lock."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def settings_file(settings: Mapping[str, str], path: Path) -> Iterator[None]:
    """Keep `settings` as a JSON object in the file at `path` for the length of a `with` block.

    The system releases the lock of a killed process, so that the file it leaves behind is ignored.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(dict(settings), file, indent=1)
        file.flush()
        fresh.replace(path)
        try:
            yield
        finally:
            # Another demo may have replaced the file in the meantime.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                path.unlink()
