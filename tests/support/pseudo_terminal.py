"""Run a command in a pseudo-terminal, answer its questions, and read what a person sees."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from webhooks.config.settings import ROOT

SIZE = {"COLUMNS", "LINES"}


class TerminalSession:
    """A process with a terminal of its own; `shown` is everything that it has printed there."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self.shown = ""

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Read until `text` appears after what was shown before."""
        start, deadline = len(self.shown), time.monotonic() + seconds
        while text not in self.shown[start:]:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.shown!r}"
            assert self._read() or self.process.poll() is None, f"{text!r} is not in {self.shown!r}"

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self._terminal, f"{text}\n".encode())

    def wait(self, seconds: float = 20) -> int:
        """Read until the process ends; return its exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return False
        try:
            part = os.read(self._terminal, 65536)
        except OSError:  # the process has closed its side
            return False
        self.shown += part.decode(errors="replace").replace("\r\n", "\n")
        return bool(part)


@contextmanager
def terminal_session(*words: str, environment: Mapping[str, str], columns: int = 80) -> Iterator[TerminalSession]:
    """Run `flask` with these words on a terminal of `columns` columns; kill it at the end if it still runs."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", *words],
        cwd=ROOT,
        # The terminal says how wide it is, not the variables of the terminal that runs the tests.
        env={**{name: value for name, value in environment.items() if name not in SIZE}, "FLASK_APP": "index"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    try:
        yield TerminalSession(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
