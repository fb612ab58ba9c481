"""Memory of processes with many threads."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

# https://man7.org/linux/man-pages/man3/mallopt.3.html
M_ARENA_MAX = -8
# Python's lock lets threads allocate in turn; the second arena is for SQLite and TLS, which run beside it.
ARENAS = 2


def limit_arenas() -> None:
    """Let the threads of this process and of its children share two of glibc's arenas, unless MALLOC_ARENA_MAX is set.

    By default each thread gets its own, up to eight for each core, and what one has freed no other one uses. Does
    nothing with another C library, such as those of Alpine Linux and macOS.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def return_memory() -> None:
    """Return freed memory to the system, which glibc keeps if something behind it is in use. Takes some milliseconds.

    Does nothing with another C library. See https://man7.org/linux/man-pages/man3/malloc_trim.3.html.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
