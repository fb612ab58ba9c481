"""Takes jobs from the inbox and sees each to its end: done, skipped, later or dead."""

from __future__ import annotations

import logging
import os
import queue
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from webhooks import retry
from webhooks.errors import LeaseLost, Skip, StoreUnavailable
from webhooks.inbox import Inbox, Matching
from webhooks.job import Job

log = logging.getLogger(__name__)

Run = Callable[[Job, Callable[[], bool]], None]
"""Does a job; the second argument tells whether the job is still this worker's."""

POLL_SECONDS = 1.0
MAX_RUN_SECONDS = 900.0
"""A handler that takes longer loses its lease: it hangs, and others can still do the job."""
QUICK_SECONDS = 0.02
PAUSE_SECONDS = 0.01
"""Between rounds while events pour in: more of them share a commit, and acknowledging goes first."""
AHEAD = 8
"""Jobs claimed for each thread while handlers are quick, so that a commit is shared by many."""
SETTLE_SECONDS = 600.0


@dataclass(slots=True)
class Running:
    """A job in this worker's hands."""

    job: Job
    since: float
    lost: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Plans events, claims jobs and runs them in `threads` threads, until `stop`.

    `matching` says which jobs an event makes, `run` does one. A lease of `lease` seconds is renewed three times in its
    length; another worker takes over what this one does not renew.
    """

    def __init__(self, inbox: Inbox, *, matching: Matching, run: Run, threads: int = 4, lease: float = 30.0) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._matching, self._run = inbox, matching, run
        self._size, self._lease = threads, lease
        self._queue: queue.SimpleQueue[Running | None] = queue.SimpleQueue()
        self._running: dict[int, Running] = {}
        self._pace = 1.0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"job-{n}", daemon=True) for n in range(threads)]
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)
        self._keepers = [
            threading.Thread(target=self._renew, name="leases", daemon=True),
            threading.Thread(target=self._listen, name="listener", daemon=True),
        ]

    def start(self) -> None:
        for thread in (*self._threads, self._dispatcher, *self._keepers):
            thread.start()
        log.info("Worker %s runs with %d threads", self.name, self._size)

    def alive(self) -> bool:
        """Whether the worker still takes jobs."""
        return self._dispatcher.is_alive() and not self._stopping.is_set()

    def stop(self, grace: float = 20.0) -> None:
        """Claims no more, lets what runs finish for `grace` seconds, and gives the rest back."""
        self._stopping.set()
        self._inbox.news.set()
        if self._dispatcher.ident is None:
            return
        self._dispatcher.join(grace)
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for running in list(self._running.values()):
            log.warning("Job %s did not finish in time and is given back", running.job.id)
            self._give_back(running)

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
        planned = self._inbox.plan(self._matching)
        room = self._room()
        jobs = self._inbox.claim(self.name, room, self._lease) if room > 0 else []
        for job in jobs:
            running = self._running[job.id] = Running(job, time.monotonic())
            self._queue.put(running)
        log.debug("Planned %d events, claimed %d jobs", planned, len(jobs))
        return planned > 0 or len(jobs) > 0

    def _room(self) -> int:
        ahead = AHEAD if self._pace < QUICK_SECONDS else 1
        return self._size * ahead - len(self._running)

    # Working: each thread runs one job after the other.

    def _work(self) -> None:
        while (running := self._queue.get()) is not None:
            if self._stopping.is_set():
                self._give_back(running)
                continue
            started = time.monotonic()
            running.since = started
            self._attempt(running)
            self._pace = 0.8 * self._pace + 0.2 * (time.monotonic() - started)
            self._running.pop(running.job.id, None)
            self._inbox.news.set()

    def _attempt(self, running: Running) -> None:
        job, inbox = running.job, self._inbox
        try:
            self._run(job, lambda: not running.lost.is_set())
        except Skip as reason:
            text = str(reason)
            log.info("%s skipped: %s", _title(job), text)
            self._settle(job, lambda: inbox.skip(job, text))
        except LeaseLost:
            log.warning("%s is another worker's now", _title(job))
        except (Exception, SystemExit) as error:  # noqa: BLE001 — whatever a handler raises decides its job's fate
            self._failed(job, error)
        else:
            log.info("%s done", _title(job))
            self._settle(job, lambda: inbox.finish(job))

    def _failed(self, job: Job, error: BaseException) -> None:
        now = datetime.now(UTC)
        free = retry.costs_no_attempt(error, created_at=job.created_at or now, now=now)
        limit = job.max_attempts + 1 if free else job.max_attempts
        chance = random.random()  # noqa: S311 — jitter
        due_at = retry.next_attempt(error, attempts=job.attempts, max_attempts=limit, now=now, chance=chance)
        text = describe(error)
        expected = hasattr(error, "permanent")
        if due_at is None:
            log.error("%s is dead: %s", _title(job), text, exc_info=None if expected else error)
            self._settle(job, lambda: self._inbox.bury(job, text))
        else:
            seconds = (due_at - now).total_seconds()
            log.warning("%s again in %.1f s: %s", _title(job), seconds, text, exc_info=None if expected else error)
            self._settle(job, lambda: self._inbox.postpone(job, seconds, text, free=free))

    def _settle(self, job: Job, ending: Callable[[], None]) -> None:
        """Writes down how the job ended, however long the database is away; the lease decides if it still counts."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return ending()
            except LeaseLost:
                log.warning("%s was taken over by another worker; this one's result is dropped", _title(job))
                return None
            except StoreUnavailable:
                if self._stopping.wait(1.0) or time.monotonic() > deadline:
                    log.error("%s ended but could not be written down; it may run again", _title(job))  # noqa: TRY400
                    return None

    def _give_back(self, running: Running) -> None:
        self._running.pop(running.job.id, None)
        running.lost.set()
        self._settle(running.job, lambda: self._inbox.release(running.job))

    # Keeping: leases renewed, news heard.

    def _renew(self) -> None:
        while not (self._stopping.wait(self._lease / 3) and not self._running):
            if self._stopping.is_set():
                time.sleep(min(1.0, self._lease / 3))
            recent = time.monotonic() - MAX_RUN_SECONDS
            held = {job_id for job_id, running in list(self._running.items()) if running.since > recent}
            if held:
                self._renew_these(held)

    def _renew_these(self, held: set[int]) -> None:
        try:
            lost = self._inbox.renew(self.name, held, self._lease)
        except StoreUnavailable as error:
            log.warning("Leases could not be renewed: %s", error)
            return
        for job_id in lost:
            if running := self._running.get(job_id):
                running.lost.set()

    def _listen(self) -> None:
        self._inbox.store.listen(self._inbox.news.set, self._stopping.is_set)


def describe(error: BaseException) -> str:
    """The error for people: its text, with the type where no client of ours raised it."""
    text = str(error) or type(error).__name__
    return text if hasattr(error, "permanent") else f"{type(error).__name__}: {text}"


def _title(job: Job) -> str:
    name = job.event.resource_name
    return f"Job {job.id} ({job.key}) for event {job.event.id} {job.event.event_type} {name!r}"
