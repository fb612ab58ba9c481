"""Let a process fork only while none of its threads uses SQLite."""

from __future__ import annotations

import os
import threading
import time

from webhooks.errors import StoreUnavailable

# How long a fork waits for reads and writes that have begun.
FORK_SECONDS = 5.0
# For how long it holds up the next ones meanwhile, and then lets them begin, in turn.
HOLD_SECONDS = 0.05


class _Depth(threading.local):
    """The number of uses that the thread is in."""

    depth = 0


class SqliteUse:
    """The uses of SQLite by all threads of this process, as a context manager that may be nested.

    SQLite notes in the memory of the process which locks its connections hold, and a forked process inherits the notes.
    There a lock that another thread held during the fork is never free again, and one for reading counts as held
    although it is not, https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_.
    Therefore a fork waits until no connection is in a statement or a transaction. If that takes too long, the process
    is forked, and raises StoreUnavailable where it would use SQLite.
    """

    def __init__(self) -> None:
        self._thread = _Depth()
        # One fork at a time, so that several do not hold up everything else without a pause.
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._users = 0
        self._held_up = self._awaited = self._unusable = False

    def __enter__(self) -> None:
        thread = self._thread
        if not thread.depth:
            if self._unusable:
                raise StoreUnavailable("this process was forked while another thread used the inbox")
            with self._lock:
                while self._held_up:
                    self._changed.wait()
                self._users += 1
        thread.depth += 1

    def __exit__(self, *_: object) -> None:
        self._thread.depth -= 1
        if not self._thread.depth:
            with self._lock:
                self._users -= 1
                if self._awaited:
                    self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until no other thread uses SQLite, for a limited time, and let none begin."""
        self._turn.acquire()
        deadline = time.monotonic() + FORK_SECONDS
        with self._lock:
            self._awaited = True
            while not self._let_end(hold_up=True) and time.monotonic() < deadline:
                self._let_end(hold_up=False)
            self._held_up = True

    def after_fork_in_parent(self) -> None:
        """Let all threads use SQLite."""
        with self._lock:
            self._awaited = self._held_up = False
            self._changed.notify_all()
        self._turn.release()

    def after_fork_in_child(self) -> None:
        """Forget the threads of the parent process."""
        self._unusable |= self._users > 0
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._users = 1 if self._thread.depth else 0
        self._awaited = self._held_up = False

    def _let_end(self, *, hold_up: bool) -> bool:
        """Return whether all uses have ended; the thread's own one, if it is in one, never does."""
        self._held_up = hold_up
        self._changed.notify_all()
        return self._changed.wait_for(lambda: not self._users, HOLD_SECONDS)


SQLITE = SqliteUse()
os.register_at_fork(
    before=SQLITE.before_fork,
    after_in_parent=SQLITE.after_fork_in_parent,
    after_in_child=SQLITE.after_fork_in_child,
)
