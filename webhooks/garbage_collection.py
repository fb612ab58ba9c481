"""Garbage collection in short-lived processes, such as commands, where it would take a third of the time."""

from __future__ import annotations

import atexit
import gc

# Objects after which Python collects garbage; what an ordinary command creates stays below.
LONG_AFTER = 200_000
_DEFAULT = gc.get_threshold()


def collect_rarely() -> None:
    """Collect no garbage while this process imports modules or when it ends, which returns its memory anyway."""
    gc.set_threshold(LONG_AFTER)
    # Python would search all objects of all modules for cycles before it ends,
    # https://docs.python.org/3/library/gc.html#gc.freeze
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """Collect garbage as Python does by default, in a command that runs like a server."""
    gc.set_threshold(*_DEFAULT)
