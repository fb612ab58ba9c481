"""Let one of a server's processes run the jobs, and another one take over when it ends, or help when it is busy."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import select
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhooks.services import Services

log = logging.getLogger(__name__)

# Between two checks of a process that stands by, and of the one that runs jobs.
CHECK_SECONDS = 0.25
# Between two messages to the process that runs jobs: many events need no more.
WAKE_PAUSE_SECONDS = 0.005
# The share of a processor core from which on a process is busy; with Python's lock it cannot use much more.
BUSY_SHARE = 0.8
# Consecutive seconds for which it has to be busy until it needs help.
BUSY_SECONDS = 2
# Without a sign for so long, the process is regarded as stuck.
SILENT_SECONDS = 3.0
# Seconds for which it has to need help: after a pause of the whole machine, or an outage of the database, it does not.
NEEDED_SECONDS = 2.0
# Time for the thread to end.
STOP_SECONDS = 5.0


class JobRole:
    """The role of running all jobs, for the processes of one server. Create it before they are forked.

    A process has it while it locks a file, so it is free as soon as the process ends, also if it is killed: such locks
    belong to the process, https://man7.org/linux/man-pages/man2/fcntl_locking.2.html
    """

    def __init__(self) -> None:
        # Open until `close`, which also releases the lock; the file has no name.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - see above
        self._news, self._wake = os.pipe()
        for end in (self._news, self._wake):
            os.set_blocking(end, False)
        self._poll = select.poll()
        self._poll.register(self._news, select.POLLIN)
        # When the process that has the role last gave a sign (monotonic), and whether it needs help.
        self._state = multiprocessing.RawArray("d", 2)

    def acquire(self) -> bool:
        """Take the role unless another process has it, and return whether this process has it now."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        self.report(needs_help=False)
        return True

    def release(self) -> None:
        """Leave the role to another process."""
        with suppress(OSError):
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files in this process."""
        self._file.close()
        os.close(self._news)
        os.close(self._wake)

    def wake(self) -> None:
        """Report to the process with the role that there is work."""
        # A full pipe wakes it as well.
        with suppress(BlockingIOError):
            os.write(self._wake, b"1")

    def await_news(self, seconds: float) -> bool:
        """Wait for a message of another process; return whether there was one."""
        if not self._poll.poll(seconds * 1000):
            return False
        with suppress(BlockingIOError):
            os.read(self._news, 4096)
        return True

    def report(self, *, needs_help: bool) -> None:
        """Record that this process, which has the role, runs, and whether another one should run jobs as well."""
        self._state[:] = [time.monotonic(), float(needs_help)]

    @property
    def needs_help(self) -> bool:
        """True if the process with the role cannot do all the work, or gives no sign."""
        seen, needs_help = self._state
        return bool(needs_help) or time.monotonic() - seen > SILENT_SECONDS


class BusyTime:
    """Measure for how long a process has used most of a processor core."""

    def __init__(self) -> None:
        self._seconds = 0
        self._checked: tuple[float, float] | None = None

    def is_long(self, now: float, used: float) -> bool:
        """Return whether the process has been busy for BUSY_SECONDS; `used` is its processor time until `now`."""
        if self._checked is None:
            self._checked = now, used
        elif (elapsed := now - self._checked[0]) >= 1:
            busy = used - self._checked[1] >= BUSY_SHARE * elapsed
            self._seconds = self._seconds + 1 if busy else 0
            self._checked = now, used
        return self._seconds >= BUSY_SECONDS


class JobProcess:
    """The part of one process: start its worker at once or when it is needed, until `stop`.

    The process with the role has the threads of all `processes`, so that as many jobs wait for the network at the same
    time as if each ran its own. One that helps has its own threads, and does not take the role afterwards. `on_error`
    is called if the worker cannot be started.
    """

    def __init__(
        self, role: JobRole, services: Services, processes: int, on_error: Callable[[Exception], None]
    ) -> None:
        self._role, self._services, self._on_error = role, services, on_error
        self._own, services.processes = services.settings.worker_threads, processes
        self._runs_jobs = False
        # Since when the process with the role has needed help (monotonic).
        self._needed_since: float | None = None
        self._stopping = threading.Event()
        self._busy = BusyTime()
        self._thread = threading.Thread(target=self._run, name="role", daemon=True)

    def start(self) -> None:
        """Start the worker if no other process has the role; otherwise stand by."""
        if self._own and not self._acquire():
            self._services.stand_by()
        else:
            self._services.start_worker(self._services.processes)
            self._runs_jobs = True
        if self._own:
            self._thread.start()

    def stop_claiming(self) -> None:
        """Leave the role to another process. Returns at once, so that a signal handler may call it."""
        self._stopping.set()
        self._role.release()

    def stop(self) -> None:
        """Leave the role, and wait for the thread, which may be starting the worker."""
        self.stop_claiming()
        if self._thread.is_alive():
            # It waits for one of these.
            self._services.inbox.news.set()
            self._role.wake()
            self._thread.join(STOP_SECONDS)

    def can_help(self, now: float) -> bool:
        """Return whether the process with the role needs help, and this one could; `now` is monotonic."""
        if not self._role.needs_help:
            self._needed_since = None
        elif self._needed_since is None:
            # When an unavailable inbox is back, the other process needs a moment to go on.
            with suppress(Exception):  # of any kind if the database is damaged
                self._services.inbox.check_writable()
                self._needed_since = now
        return self._needed_since is not None and now - self._needed_since >= NEEDED_SECONDS

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._runs_jobs:
                    self._serve()
                elif self._stand_by():
                    return
        except Exception as error:  # noqa: BLE001 - the process must not stay without a part of its work
            self._role.release()
            self._on_error(error)

    def _serve(self) -> None:
        """Pass on what other processes report, and report the state of this one."""
        if self._role.await_news(CHECK_SECONDS):
            self._services.inbox.news.set()
        busy = self._busy.is_long(time.monotonic(), time.process_time())
        if not self._stopping.is_set():
            self._role.report(needs_help=busy or not self._services.working())

    def _stand_by(self) -> bool:
        """Report new events to the process that runs jobs; take its role if it is free, or help if it needs help.

        Returns whether this process helps, which needs no further checks.
        """
        news = self._services.inbox.news
        if news.wait(CHECK_SECONDS):
            news.clear()
            self._role.wake()
            self._stopping.wait(WAKE_PAUSE_SECONDS)
        if self._stopping.is_set():
            return False
        if self._acquire():
            self._services.start_worker(self._services.processes)
            self._runs_jobs = True
        elif self.can_help(time.monotonic()):
            log.info("Another process of this server cannot run all jobs, this one runs jobs as well")
            self._services.start_worker()
            return True
        return False

    def _acquire(self) -> bool:
        """Take the role if it is free, unless this process is stopping."""
        if not self._role.acquire():
            return False
        if self._stopping.is_set():
            # The signal came before; no other process could have it until this one has ended.
            self._role.release()
            return False
        return True
