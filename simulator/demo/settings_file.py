"""The demo's variables in a file, for the commands of a second terminal; it counts while the demo holds its lock."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def settings_file(variables: Mapping[str, str], path: Path) -> Iterator[None]:
    """The file at `path` holds `variables` as a JSON object, for the length of a `with` block.

    The system lets go of the lock of a process that was killed, so what such a one leaves behind is not believed.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(dict(variables), file, indent=1)
        file.flush()
        fresh.replace(path)
        try:
            yield
        finally:
            # Another demo may have written its own in the meantime.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                path.unlink()
