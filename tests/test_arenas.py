"""The arenas of glibc that the threads of a process allocate from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from webhooks.config.settings import ROOT

# Sixteen threads that live at the same time allocate, and glibc lists its arenas.
CODE = """
import ctypes, threading
{}
barrier = threading.Barrier(17)
def allocate():
    block = bytearray(50_000)
    barrier.wait()
    barrier.wait()
threads = [threading.Thread(target=allocate) for _ in range(16)]
for thread in threads: thread.start()
barrier.wait()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
barrier.wait()
for thread in threads: thread.join()
"""
LIMIT = "from webhooks.arenas import limit_arenas; limit_arenas()"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no arenas")
def test_threads_share_two_arenas() -> None:
    """Each thread would have one of its own; an administrator who sets their number keeps it."""
    plain = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}

    def arenas(code: str, environment: dict[str, str]) -> int:
        command = [sys.executable, "-c", CODE.format(code)]
        return subprocess.check_output(command, env=environment, cwd=ROOT, timeout=60).count(b"<heap nr=")

    assert arenas(LIMIT, plain) <= 2 < arenas("", plain)
    assert arenas(LIMIT, {**plain, "MALLOC_ARENA_MAX": "5"}) == 5
