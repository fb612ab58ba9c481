"""Plans events, takes jobs from the inbox and hands them to threads, and keeps the leases until each has ended."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import socket
import threading
import time

from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox, JobPlanner
from webhooks.inbox.jobs import PLAN_LIMIT
from webhooks.worker.attempt import Attempts, Run, Running, title_of
from webhooks.worker.cleanup import keep_house

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
MAX_RUN_SECONDS = 900.0
"""A handler that takes longer loses its lease: it hangs, and others can still do the job."""
QUICK_SECONDS = 0.02
PAUSE_SECONDS = 0.02
"""Between rounds while there is something to do: more of it shares a commit."""
POURING, POURING_SECONDS = 20, 0.1
"""So many events in one round are planned less often: acknowledging goes first."""
AHEAD = 8
"""Jobs claimed for each thread while handlers are quick, so that a commit is shared by many."""
STOPPING_SECONDS = 0.2
KEEPERS_SECONDS = 2.0


class Worker:
    """Plans events, claims jobs and runs them in `threads` threads, until `stop`.

    `planner` returns the jobs of an event, `run` does one. A lease of `lease` seconds is renewed three times in its
    length; another worker takes over what this one does not renew, and a job that runs for `longest` seconds.
    Events older than `retention` days are deleted now and then; 0 keeps them all.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        planner: JobPlanner,
        run: Run,
        threads: int = 4,
        lease: float = 30.0,
        longest: float = MAX_RUN_SECONDS,
        retention: float = 0.0,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._planner = inbox, planner
        self._size, self._lease, self._longest = threads, lease, longest
        self._queue: queue.SimpleQueue[Running | None] = queue.SimpleQueue()
        self._running: dict[int, Running] = {}
        self._pace, self._plan_at = 1.0, 0.0
        self._stopping = threading.Event()
        self._attempts = Attempts(inbox, run, self._stopping)
        self._threads: list[threading.Thread] = []
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)
        self._keepers = [
            threading.Thread(target=self._renew, name="leases", daemon=True),
            threading.Thread(target=self._listen, name="listener", daemon=True),
            threading.Thread(
                target=keep_house, args=(inbox, retention, self._stopping), name="housekeeper", daemon=True
            ),
        ]

    def start(self) -> None:
        for _ in range(self._size):
            self._add_thread()
        for thread in (self._dispatcher, *self._keepers):
            thread.start()
        log.info("Worker %s runs with %d threads", self.name, self._size)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"job-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def alive(self) -> bool:
        """Whether the worker still takes jobs."""
        return self._dispatcher.is_alive() and not self._stopping.is_set()

    def stop_claiming(self) -> None:
        """Takes no more jobs; those that run go on. Returns at once."""
        self._stopping.set()
        self._inbox.news.set()

    def stop(self, grace: float = 20.0) -> None:
        """Claims no more, lets what runs finish for `grace` seconds, and gives the rest back."""
        deadline = time.monotonic() + grace
        self.stop_claiming()
        if self._dispatcher.ident is None:
            return
        self._dispatcher.join(grace)
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for running in list(self._running.values()):
            log.warning("%s did not finish in time and is given back", title_of(running.job))
            self._give_back(running)
        for thread in self._keepers:
            thread.join(KEEPERS_SECONDS)

    def run_forever(self, stopping: threading.Event) -> None:
        """Works until `stopping` is set; for a process of its own."""
        self.start()
        while not stopping.wait(1.0):
            pass
        self.stop()

    # Dispatching: one thread plans and claims.

    def _dispatch(self) -> None:
        quiet = False
        while not self._stopping.is_set():
            self._inbox.news.clear()
            try:
                busy = self._take()
                if quiet:
                    log.warning("The inbox is back")
                quiet = False
            except StoreUnavailable as error:
                if not quiet:
                    log.error("The inbox is away, trying again: %s", error)  # noqa: TRY400 — the cause is in the text
                quiet, busy = True, False
            except Exception:
                log.exception("Taking jobs failed")
                busy = False
            self._stopping.wait(PAUSE_SECONDS) if busy else self._inbox.news.wait(POLL_SECONDS)

    def _take(self) -> bool:
        """One round; True if there may be more to do at once."""
        asked = time.monotonic()
        plan = PLAN_LIMIT if asked >= self._plan_at else 0
        planned, jobs = self._inbox.jobs.plan_and_claim(
            self.name, self._planner, room=self._room(), lease=self._lease, plan=plan
        )
        for job in jobs:
            running = self._running[job.id] = Running(job, asked, asked + self._lease)
            self._queue.put(running)
        log.debug("Planned %d events, claimed %d jobs", planned, len(jobs))
        if POURING <= planned < PLAN_LIMIT:
            self._plan_at = asked + POURING_SECONDS
        return planned > 0 or len(jobs) > 0 or asked < self._plan_at

    def _room(self) -> int:
        ahead = AHEAD if self._pace < QUICK_SECONDS else 1
        return self._size * ahead - len(self._running)

    # Working: each thread runs one job after the other.

    def _work(self) -> None:
        while (running := self._queue.get()) is not None:
            if self._stopping.is_set() and not running.lost:
                self._give_back(running)
            if running.lost:
                continue
            started = running.since = time.monotonic()
            running.thread = threading.current_thread()
            if running.still_mine():
                try:
                    self._attempts.attempt(running)
                except Exception:
                    log.exception("%s could not be brought to an end; it is tried again later", title_of(running.job))
            self._pace = 0.8 * self._pace + 0.2 * (time.monotonic() - started)
            self._forget(running)
            if running.thread not in self._threads:
                return  # it hung, and another thread has taken its place

    def _forget(self, running: Running) -> None:
        """The job is in this worker's hands no more; unless it came back meanwhile, to another thread."""
        if self._running.get(running.job.id) is running:
            del self._running[running.job.id]
        self._inbox.news.set()

    def _give_back(self, running: Running) -> None:
        running.lost = True
        self._forget(running)
        self._attempts.settle(running.job, lambda: self._inbox.jobs.release(running.job))

    # Keeping: leases renewed, news heard.

    def _renew(self) -> None:
        """Until every job has ended, also while the worker stops."""
        while not (self._stopping.wait(self._lease / 3) and not self._running):
            if self._stopping.is_set():
                time.sleep(min(STOPPING_SECONDS, self._lease / 3))
            try:
                for running in list(self._running.values()):
                    self._judge(running)
                self._renew_these(dict(self._running))
            except StoreUnavailable as error:
                log.warning("Leases could not be renewed: %s", error)
            except Exception:
                log.exception("Leases could not be renewed")

    def _judge(self, running: Running) -> None:
        """Drops a job that hangs, and gives back one that waits behind others for too long."""
        since = time.monotonic() - running.since
        if running.thread is not None and since > self._longest:
            log.error("%s has run for %.0f s and is left to others", title_of(running.job), since)
            running.lost = True
            self._threads.remove(running.thread)
            self._add_thread()
            self._forget(running)
        elif running.thread is None and since > self._lease:
            self._give_back(running)

    def _renew_these(self, held: dict[int, Running]) -> None:
        if not held:
            return
        until = time.monotonic() + self._lease
        lost = self._inbox.jobs.renew(self.name, held, self._lease)
        for job_id, running in held.items():
            if job_id in lost:
                running.lost = True
            else:
                running.until = until

    def _listen(self) -> None:
        self._inbox.store.listen(self._inbox.news.set, self._stopping.is_set)
