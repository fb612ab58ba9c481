"""Processes that handlers fork: signals end them, no other thread holds a lock in them, and they run no jobs."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from types import TracebackType
from weakref import WeakSet

log = logging.getLogger(__name__)

# For which a server has handlers of its own.
SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGABRT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCHLD")
NUMBERS = [getattr(signal, name) for name in SIGNALS]

_locks: WeakSet[Lock] = WeakSet()
_runs_jobs = False
_forking = threading.local()


class Lock:
    """A lock that is free in a forked process: the thread that held it does not exist there."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Replace the lock of the parent process."""
        self._lock = threading.Lock()


def prepare_children() -> None:
    """Let signals end the processes that this one forks from now on; those of a server only ask it to stop.

    `multiprocessing.Pool` ends its processes by SIGTERM, and waits for them.
    """
    global _runs_jobs  # noqa: PLW0603 - once for each process
    _runs_jobs = True


def end_child(parent: int, handler: str, error: BaseException | None = None) -> None:
    """End this process if it was forked by a handler that began in the process `parent`; otherwise return.

    It would go on as a copy of the worker: record the end of the job, and run the next ones.
    """
    if os.getpid() == parent:
        return
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        code = 1
        log.error("A process forked by handler %s failed", handler, exc_info=error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code & 0xFF)


def _before_fork() -> None:
    # A signal that arrives before the child has its own handlers waits, or it would be lost.
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS) if _runs_jobs else None


def _after_fork_in_parent() -> None:
    if _forking.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _after_fork_in_child() -> None:
    for lock in list(_locks):
        lock.renew()
    if not _runs_jobs:
        return
    for number in NUMBERS:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    if _forking.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
